"""The catalog and its stock."""

import re
from typing import Any, NamedTuple, Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import (
    SearchQuery,
    SearchRank,
    SearchVector,
    SearchVectorField,
)
from django.db import models, transaction
from django.db.models import F, Func, Q, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, Upper
from django.urls import reverse
from django.utils.functional import cached_property

from shop import queue
from shop.picture_fields import PictureField
from shop.pictures import TYPES, name_upload


class Category(models.Model):
    """A shelf of the shop; shelves stand in a tree."""

    name = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children"
    )
    position = models.PositiveIntegerField(default=0, help_text="Smaller comes first.")

    class Meta:
        ordering = ["position", "name"]
        verbose_name_plural = "categories"
        constraints = [
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("id")),
                name="category_is_not_its_own_parent",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("shop:category", args=[self.slug])


class ProductState(models.TextChoices):
    """Where a product stands on its way to the shelf and off it; one of these at a time."""

    PUBLISHED = "published"
    SCHEDULED = "scheduled"
    DRAFT = "draft"
    ARCHIVED = "archived"


class ProductQuerySet(models.QuerySet["Product"]):
    def on_sale(self) -> Self:
        """Keep products that are published and have a variant to buy."""
        return self.filter(
            models.Exists(Variant.objects.offered().filter(product=models.OuterRef("pk"))),
            is_published=True,
        )

    def in_state(self, state: ProductState) -> Self:
        """Keep products in this state."""
        match state:
            case ProductState.PUBLISHED:
                return self.filter(is_published=True)
            case ProductState.ARCHIVED:
                return self.filter(archived_at__isnull=False)
        not_yet = self.filter(is_published=False, archived_at__isnull=True)
        return not_yet.filter(publish_at__isnull=state == ProductState.DRAFT)

    def with_offer(self, *, from_minor: int | None, to_minor: int | None, in_stock: bool) -> Self:
        """Keep products of which some variant is offered at such a price, and is free if asked."""
        if from_minor is None and to_minor is None and not in_stock:
            return self
        offers = Variant.objects.offered().filter(product=models.OuterRef("pk"))
        if from_minor is not None:
            offers = offers.filter(price_minor__gte=from_minor)
        if to_minor is not None:
            offers = offers.filter(price_minor__lte=to_minor)
        if in_stock:
            offers = offers.filter(on_hand__gt=F("reserved"))
        return self.filter(models.Exists(offers))

    def for_cards(self) -> Self:
        """Add what a card of a product on sale shows, in one more query for all the covers.

        Annotates `lowest_price_minor`, `highest_price_minor` and `free_stock` over the variants
        offered.
        """
        offers = (
            Variant.objects.offered()
            .filter(product=models.OuterRef("pk"))
            .order_by()
            .values("product")
        )
        return (
            self.annotate(
                lowest_price_minor=models.Subquery(
                    offers.annotate(figure=models.Min("price_minor")).values("figure")
                ),
                highest_price_minor=models.Subquery(
                    offers.annotate(figure=models.Max("price_minor")).values("figure")
                ),
                free_stock=models.Subquery(
                    offers.annotate(figure=models.Sum(F("on_hand") - F("reserved"))).values(
                        "figure"
                    )
                ),
            )
            .defer("search", "description")
            .prefetch_related("images")
        )

    def matching(self, text: str) -> Self:
        """Keep what matches `text` (as typed in a search box), best first.

        Plain words also match as beginnings of words ("frank" finds Frankenstein); text with quotes
        or a minus means what it means at a web search.
        """
        query = SearchQuery(text, search_type="websearch", config="english")
        if re.fullmatch(r"[^\W_]+(\s+[^\W_]+)*", text):
            beginnings = " & ".join(f"{word}:*" for word in text.split())
            query |= SearchQuery(beginnings, search_type="raw", config="english")
        return (
            self.filter(search=query)
            .annotate(rank=SearchRank(F("search"), query))
            .order_by("-rank", "title", "pk")
        )


# What a search looks at, in order of weight: title, the values of the attributes, description.
_SEARCHED = CombinedExpression(
    SearchVector("title", config="english", weight="A"),
    "||",
    CombinedExpression(
        Func(
            F("attributes"),
            template=(
                "setweight(jsonb_to_tsvector"
                """('english'::regconfig, %(expressions)s, '["string"]'), 'B')"""
            ),
        ),
        "||",
        SearchVector("description", config="english", weight="C"),
    ),
)


class Product(models.Model):
    """What a page shows; its variants are what is bought."""

    title = models.CharField(max_length=200)
    slug = models.SlugField(max_length=200, unique=True)
    description = models.TextField(blank=True)
    attributes = models.JSONField(
        default=dict,
        blank=True,
        help_text="Facts shown on the product's page and searched, such as "
        '{"Author": "Jane Austen"}.',
    )
    category = models.ForeignKey(Category, models.PROTECT, related_name="products")
    is_published = models.BooleanField("published", default=True)
    publish_at = models.DateTimeField(
        "publish on",
        null=True,
        blank=True,
        help_text="In UTC. It is published by itself then; leave it empty to do that by hand.",
    )
    archived_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField()
    # Generated by the database, so that no way of writing can forget it.
    search = models.GeneratedField(
        expression=_SEARCHED, output_field=SearchVectorField(), db_persist=True
    )

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ["title", "pk"]
        # A file may change prices and stock as well.
        permissions = [("import_product", "Can import products, prices and stock from a file")]
        indexes = [
            GinIndex(fields=["search"], name="product_search"),
            models.Index(fields=["category", "title", "id"], name="product_by_category"),
            models.Index(fields=["-created_at", "-id"], name="product_newest"),
            # Staff's list, which says how many there are: counted by the index alone.
            models.Index(
                fields=["-created_at", "-id"],
                condition=Q(archived_at__isnull=True),
                name="product_not_archived",
            ),
            models.Index(
                fields=["publish_at"],
                condition=Q(publish_at__isnull=False),
                name="product_scheduled",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(publish_at__isnull=True) | Q(is_published=False),
                name="product_scheduled_is_not_published",
            ),
            models.CheckConstraint(
                condition=Q(archived_at__isnull=True)
                | Q(is_published=False, publish_at__isnull=True),
                name="product_archived_is_off_sale",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("shop:product", args=[self.slug])

    @property
    def state(self) -> "ProductState":
        if self.archived_at:
            return ProductState.ARCHIVED
        if self.is_published:
            return ProductState.PUBLISHED
        return ProductState.SCHEDULED if self.publish_at else ProductState.DRAFT

    @property
    def cover(self) -> "ProductImage | None":
        """The first picture, if any; reads `images`, which a list has fetched for all at once."""
        return next(iter(self.images.all()), None)


class VariantQuerySet(models.QuerySet["Variant"]):
    def offered(self) -> Self:
        """Keep variants that may be bought where their product is published; reads no product."""
        return self.filter(is_active=True, currency=settings.SHOP_CURRENCY)

    def on_sale(self) -> Self:
        """Keep variants that may be bought, in stock or not."""
        return self.offered().filter(product__is_published=True)

    def low_on_stock(self) -> Self:
        """Keep variants on sale of which so few units are free that more should be ordered.

        All variants are read for it, 150,000 in a tenth of a second: an index over the counters
        would make every reservation and sale dearer.
        """
        limit = Coalesce("low_stock_at", Value(settings.LOW_STOCK_AT))
        few = self.on_sale().alias(limit=limit).filter(limit__gt=0)
        return few.filter(on_hand__lte=F("reserved") + F("limit"))


class Variant(models.Model):
    """Something with a SKU, a price in minor units of `currency`, and stock in units.

    `on_hand` and `reserved` are written by `shop.services` alone, each change with its movement.
    """

    product = models.ForeignKey(Product, models.CASCADE, related_name="variants")
    sku = models.CharField("SKU", max_length=64, unique=True)
    title = models.CharField(max_length=100, help_text="What sets it apart, such as Hardcover.")
    price_minor = models.PositiveBigIntegerField("price, in minor units")
    currency = models.CharField(max_length=3)
    on_hand = models.PositiveIntegerField(default=0, editable=False)
    reserved = models.PositiveIntegerField(default=0, editable=False)
    position = models.PositiveIntegerField(default=0, help_text="Smaller comes first.")
    is_active = models.BooleanField("active", default=True)
    low_stock_at = models.PositiveIntegerField(
        "low stock at",
        null=True,
        blank=True,
        help_text="So few free units are low. Empty: as few as for all others. 0: never low.",
    )

    objects = VariantQuerySet.as_manager()

    class Meta:
        ordering = ["position", "pk"]
        # Whoever counts and unpacks goods need not be one who sets prices.
        permissions = [("move_stock", "Can move stock")]
        indexes = [
            # As anybody types it, and by its beginning.
            models.Index(OpClass(Upper("sku"), name="text_pattern_ops"), name="variant_by_sku")
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(reserved__gte=0, on_hand__gte=F("reserved")),
                name="variant_reserved_within_on_hand",
            ),
            models.CheckConstraint(condition=Q(price_minor__gte=0), name="variant_has_price"),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="variant_currency_is_iso"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku} ({self.title})"

    @property
    def is_on_sale(self) -> bool:
        """Whether it may be bought, in stock or not; reads the product."""
        return (
            self.is_active and self.product.is_published and self.currency == settings.SHOP_CURRENCY
        )

    @property
    def low_at(self) -> int:
        """As few free units as this, or fewer, are low; 0: never."""
        return settings.LOW_STOCK_AT if self.low_stock_at is None else self.low_stock_at

    @property
    def is_low(self) -> bool:
        """Whether few units are free, on sale or not."""
        return self.low_at > 0 and self.free <= self.low_at

    @property
    def free(self) -> int:
        """Units on hand that no pending order holds."""
        return self.on_hand - self.reserved


class LowStockMail(models.Model):
    """The mail of one day to staff, about variants that are low: owed until `sent_at`."""

    day = models.DateField(primary_key=True)
    sent_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"mail on low stock of {self.day}"


class Source(NamedTuple):
    """A type of a picture's renditions, and their addresses with their widths, as in HTML."""

    type: str
    srcset: str


class ProductImage(models.Model):
    """A picture of a product; its size in pixels, as shown, keeps the page still while it loads.

    Saving it queues the making of `renditions`, smaller copies that browsers choose from, and the
    end of a file that was replaced. They are read with the row, so a page asks for nothing more.
    """

    product = models.ForeignKey(Product, models.CASCADE, related_name="images")
    image = PictureField(
        upload_to=name_upload,
        width_field="width",
        height_field="height",
        help_text="JPEG, PNG, WebP or AVIF, up to 10 MB and 25 megapixels.",
    )
    width = models.PositiveIntegerField(editable=False)
    height = models.PositiveIntegerField(editable=False)
    renditions = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        editable=False,
        help_text="Name, type and width of each; empty until all are stored.",
    )
    alt = models.CharField("alternative text", max_length=200, blank=True)
    position = models.PositiveIntegerField(default=0, help_text="Smaller comes first.")

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.alt or str(self.image)

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        stored = ProductImage.objects.select_for_update(no_key=True).filter(pk=self.pk).first()
        if stored and stored.image.name == self.image.name:
            # The job may have written these since this row was read.
            self.renditions = stored.renditions
            self.width, self.height = stored.width, stored.height
            super().save(*args, **kwargs)
            return
        self.renditions = []
        super().save(*args, **kwargs)
        original = str(stored.image) if stored else ""
        queue.settle_picture(image_id=self.pk, original=original)

    @property
    def sources(self) -> list[Source]:
        """The renditions for <source>, the best type first; none until they are made."""
        if not self.renditions:
            return []
        return [
            Source(
                kind,
                ", ".join(
                    f"{self._address(rendition['name'])} {rendition['width']}w"
                    for rendition in self.renditions
                    if rendition["type"] == kind
                ),
            )
            for kind in TYPES
        ]

    @property
    def url(self) -> str:
        """The address for browsers that choose no source: the last, largest rendition if any."""
        if not self.renditions:
            return self.image.url
        return self._address(self.renditions[-1]["name"])

    @property
    def thumbnail_url(self) -> str:
        """The address of the smallest rendition that every browser of the last years shows."""
        small = next((r["name"] for r in self.renditions if r["type"] == TYPES[-1]), "")
        return self._address(small) if small else self.image.url

    def _address(self, name: str) -> str:
        """Return the address of a rendition. A page names eight for each book it shows, so the
        storage is asked once per picture where that is enough.
        """
        return self.image.storage.url(name) if self._root is None else f"{self._root}{name}"

    @cached_property
    def _root(self) -> str | None:
        """What stands before the name of any rendition; None where each address is signed.

        Their names are ours and need no quoting.
        """
        name = self.renditions[0]["name"]
        address = self.image.storage.url(name)
        return address.removesuffix(name) if address.endswith(name) else None


class StockMovement(models.Model):
    """What changed a variant's counters, by how many units, and why; append-only."""

    class Kind(models.TextChoices):
        RECEIVED = "received"
        RESERVED = "reserved"
        RELEASED = "released"
        SOLD = "sold"
        RETURNED = "returned"
        ADJUSTED = "adjusted"

    variant = models.ForeignKey(Variant, models.PROTECT, related_name="movements")
    kind = models.CharField(max_length=10, choices=Kind)
    on_hand_delta = models.IntegerField(default=0)
    reserved_delta = models.IntegerField(default=0)
    reference = models.CharField(
        max_length=200, help_text="An order's number, or the reason given."
    )
    moved_by_id = models.BigIntegerField(null=True, help_text="The user's id; a plain number.")
    form_key = models.UUIDField(
        null=True, unique=True, help_text="Of the form that staff sent: sent twice, it moves once."
    )
    moved_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="received", on_hand_delta__gt=0, reserved_delta=0)
                | Q(kind="reserved", on_hand_delta=0, reserved_delta__gt=0)
                | Q(kind="released", on_hand_delta=0, reserved_delta__lt=0)
                | Q(kind="sold", on_hand_delta__lt=0, reserved_delta=F("on_hand_delta"))
                | Q(kind="returned", on_hand_delta__gt=0, reserved_delta=0)
                | (Q(kind="adjusted", reserved_delta=0) & ~Q(on_hand_delta=0)),
                name="stock_movement_fits_its_kind",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.on_hand_delta or self.reserved_delta:+} of {self.variant_id}"


class PriceChange(models.Model):
    """What a variant cost before and after, in minor units of `currency`, and why; append-only.

    `shop.prices` writes it. A price that is changed past it gets a line by the database itself. It
    has no hold on its variant, so that one which was never in stock can still be deleted.
    """

    variant = models.ForeignKey(
        Variant,
        models.DO_NOTHING,
        related_name="price_changes",
        db_constraint=False,
        db_index=False,
    )
    old_minor = models.PositiveBigIntegerField()
    new_minor = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    why = models.CharField(max_length=200, help_text="Where it was changed, and by what rule.")
    by_user_id = models.BigIntegerField(null=True, help_text="The user's id; a plain number.")
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["variant", "-id"], name="price_change_by_variant")]
        constraints = [
            models.CheckConstraint(
                condition=Q(old_minor__gte=0, new_minor__gte=0) & ~Q(old_minor=F("new_minor")),
                name="price_change_is_one",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="price_change_currency_is_iso"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.old_minor} to {self.new_minor} {self.currency} for {self.variant_id}"
