"""Products with their variants and pictures. Counters change by movements only, never in a form."""

import re
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.postgres.search import SearchQuery
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_htmx.http import HttpResponseClientRedirect
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.forms import PaginationInlineFormSet

from shop import copies, publishing, services
from shop.admin.bulk_prices import change_prices
from shop.admin.deleting import NeverInBulk
from shop.admin_forms import ProductForm, VariantForm
from shop.clock import now
from shop.dialogs import dialog, page, reload, row_or_404
from shop.models import PriceChange, Product, ProductImage, ProductQuerySet, ProductState, Variant
from shop.money import format_minor
from shop.views import product_page

_CHANGES_SHOWN = 10
_STATE_COLORS = {
    ProductState.PUBLISHED: "success",
    ProductState.SCHEDULED: "info",
    ProductState.DRAFT: "warning",
    ProductState.ARCHIVED: "default",
}


class _VariantFormSet(PaginationInlineFormSet):  # type: ignore[misc]  # Unfold has no types
    """Locks the product's variants while what was typed is compared with what is stored."""

    def __init__(self, **kwargs: Any) -> None:
        product = kwargs["instance"]
        if kwargs.get("data") is not None and product.pk:
            services.lock(product.variants.order_by().values_list("pk", flat=True))
        super().__init__(**kwargs)


class VariantInline(TabularInline):  # type: ignore[misc]
    """One is deleted on its own page, as long as it was never in stock."""

    model = Variant
    form = VariantForm
    formset = _VariantFormSet
    fields = (
        "sku",
        "title",
        "price",
        "seen_minor",
        "currency",
        "stock",
        "low_stock_at",
        "position",
        "is_active",
    )
    readonly_fields = ("currency", "stock")
    ordering_field = "position"
    can_delete = False
    extra = 0

    @admin.display(description="stock")
    def stock(self, variant: Variant) -> SafeString | str:
        if variant.pk is None:
            return "none yet"
        return format_html(
            '{} free<br>{} on hand, {} reserved<br><a class="text-link" href="{}">Move stock</a>',
            variant.free,
            variant.on_hand,
            variant.reserved,
            reverse("admin:shop_variant_change", args=[variant.pk]),
        )


class ImageInline(TabularInline):  # type: ignore[misc]
    model = ProductImage
    fields = ("image", "alt", "position")
    ordering_field = "position"
    extra = 0


class StateFilter(admin.SimpleListFilter):
    """Products by state; what is archived is shown to who asks for it."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(state.value, state.label) for state in ProductState]

    def choices(self, changelist: Any) -> Any:
        all_but_archived, *states = super().choices(changelist)
        yield {**all_but_archived, "display": "All but archived"}
        yield from states

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        asked = next((state for state in ProductState if state == self.value()), None)
        if asked:
            return cast(ProductQuerySet, queryset).in_state(asked)
        return queryset.filter(archived_at__isnull=True)


class LowStockFilter(admin.SimpleListFilter):
    title = "stock"
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("low", "Some edition is low")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        if self.value() != "low":
            return queryset
        low = Variant.objects.low_on_stock().filter(product=OuterRef("pk"))
        return queryset.filter(Exists(low))


@admin.register(Product)
class ProductAdmin(NeverInBulk, ModelAdmin):  # type: ignore[misc]
    form = ProductForm
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "standing",
                    "title",
                    "slug",
                    "category",
                    "is_published",
                    "publish_at",
                    "description",
                    "attributes",
                )
            },
        ),
        ("Prices", {"fields": ("price_history",)}),
    )
    readonly_fields = ("standing", "price_history")
    list_display = ("cover", "title", "category", "price", "units_free", "state", "created_at")
    list_display_links = ("title",)
    list_filter = (StateFilter, LowStockFilter, "category")
    list_select_related = ("category",)
    list_per_page = 50
    search_fields = ("title",)
    search_help_text = "Title or SKU"
    show_full_result_count = False
    ordering = ("-created_at", "-pk")
    prepopulated_fields = {"slug": ("title",)}
    inlines = (VariantInline, ImageInline)
    actions = ("change_prices_of_selected",)
    actions_detail = ("preview", "duplicate", "archive", "restore")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        products: QuerySet[Product] = super().get_queryset(request).defer("search")
        is_list = request.resolver_match and "object_id" not in request.resolver_match.kwargs
        if not is_list:
            return products
        return products.defer("search", "description").prefetch_related("variants", "images")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Product], search_term: str
    ) -> tuple[QuerySet[Product], bool]:
        """Keep products with these words, or their beginnings, in the title, or with such a SKU.

        Both have an index. Where neither finds anything, titles are read letter by letter: some
        have nothing but words that an index of English leaves out.
        """
        term = search_term.strip()
        if not term:
            return queryset, False
        found: Any = Variant.objects.filter(sku__istartswith=term).order_by().values("product")
        if words := re.findall(r"[^\W_]+", term):
            beginnings = " & ".join(f"{word}:*A" for word in words)
            query = SearchQuery(beginnings, search_type="raw", config="english")
            found = found.union(Product.objects.filter(search=query).order_by().values("pk"))
        matching = queryset.filter(pk__in=found)
        if not matching.exists():
            matching = queryset.filter(title__icontains=term)
        return matching, False

    def view_on_site(self, product: Product) -> str | None:
        return product.get_absolute_url() if product.is_published else None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_delete: bool = super().has_delete_permission(request, obj)
        return may_delete and (obj is None or not publishing.was_in_stock(product=obj.pk))

    def delete_model(self, request: HttpRequest, obj: Product) -> None:
        publishing.delete_product(product_id=obj.pk)

    # The list

    @admin.display(description="")
    def cover(self, product: Product) -> SafeString | str:
        if product.cover is None:
            return "-"
        return format_html(
            '<img src="{}" alt="" loading="lazy" style="height: 40px; max-width: none">',
            product.cover.thumbnail_url,
        )

    @admin.display(description="price")
    def price(self, product: Product) -> str:
        prices = [
            (variant.price_minor, variant.currency)
            for variant in product.variants.all()
            if variant.is_active
        ]
        ends = dict.fromkeys([min(prices), max(prices)] if prices else [])
        return " to ".join(format_minor(*end) for end in ends) or "-"

    @admin.display(description="free")
    def units_free(self, product: Product) -> str:
        variants = [variant for variant in product.variants.all() if variant.is_active]
        is_low = product.is_published and any(variant.is_low for variant in variants)
        return f"{sum(variant.free for variant in variants)}{', low' if is_low else ''}"

    @display(label=_STATE_COLORS, description="state")  # type: ignore[untyped-decorator]
    def state(self, product: Product) -> tuple[str, str]:
        return product.state, _standing(product)

    def has_pricing_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("shop.change_variant")

    @admin.action(description="Change their prices", permissions=["pricing"])
    def change_prices_of_selected(
        self, request: HttpRequest, queryset: QuerySet[Product]
    ) -> HttpResponse:
        products = queryset.order_by().values("pk")
        return change_prices(self, request, Variant.objects.filter(product__in=products))

    # The page

    @admin.display(description="state")
    def standing(self, product: Product) -> str:
        if product.pk is None:
            return "New"
        words = _standing(product)
        if publishing.was_in_stock(product=product.pk):
            return (
                f"{words}. It was in stock and may stand on orders: archive it, do not delete it."
            )
        return f"{words}. It was never in stock: it can be deleted."

    @admin.display(description="newest changes")
    def price_history(self, product: Product) -> SafeString | str:
        changes = PriceChange.objects.filter(variant__product=product).select_related("variant")
        rows = [
            [
                f"{change.changed_at:%Y-%m-%d %H:%M}",
                change.variant.sku,
                format_minor(change.old_minor, change.currency),
                format_minor(change.new_minor, change.currency),
                change.why,
            ]
            for change in changes[:_CHANGES_SHOWN]
        ]
        if not rows:
            return "Prices were never changed."
        table = {"headers": ["when (UTC)", "SKU", "before", "after", "why"], "rows": rows}
        address = reverse("admin:shop_pricechange_changelist")
        return render_to_string(
            "admin/shop/price_history.html",
            {"table": table, "all": f"{address}?variant__product={product.pk}"},
        )

    def save_model(
        self, request: HttpRequest, obj: Product, form: ProductForm, change: bool
    ) -> None:
        if not change:
            obj.created_at = now()
        super().save_model(request, obj, form, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if formset.model is Variant:
            by, at = cast(int, request.user.pk), now()
            for row in formset.initial_forms:
                if row.has_changed():
                    row.change_price(why="on the product's page", by_user_id=by, at=at)

    # The buttons

    @page(label="Preview", icon="visibility", permissions=["view"])
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        answer = product_page(request, self._product(request, object_id), is_preview=True)
        answer.headers["X-Robots-Tag"] = "noindex"
        return answer

    def has_duplicate_permission(self, request: HttpRequest, obj: object = None) -> bool:
        rights = ("shop.add_product", "shop.add_variant", "shop.add_productimage")
        return all(request.user.has_perm(right) for right in rights)

    @dialog(
        label="Duplicate",
        icon="content_copy",
        text="Makes a draft like this product, with its variants under new SKUs and its pictures. "
        "The copy has no stock.",
        permission="duplicate",
    )
    def duplicate(self, request: HttpRequest, form: object, object_id: str) -> HttpResponse:
        copy = copies.duplicate(product_id=self._product(request, object_id).pk, at=now())
        self.log_addition(request, copy, [{"added": {}}])
        messages.success(request, "This is the copy. Change what is different, then publish it.")
        return reload(copy)

    def has_archive_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(self.has_change_permission(request)) and not _is_archived(obj)

    @dialog(
        label="Archive",
        icon="archive",
        text="Takes this product off sale and out of this list. Orders keep it, and so does its "
        "history. It can be restored.",
        permission="archive",
    )
    def archive(self, request: HttpRequest, form: object, object_id: str) -> HttpResponse:
        product = self._product(request, object_id)
        publishing.archive(product_id=product.pk, at=now())
        self.log_change(request, product, "Archived")
        messages.success(request, f"{product.title} is archived.")
        return HttpResponseClientRedirect(reverse("admin:shop_product_changelist"))

    def has_restore_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(self.has_change_permission(request)) and _is_archived(obj)

    @dialog(
        label="Restore",
        icon="unarchive",
        text="Takes this product out of the archive. It is a draft then: publish it on its form.",
        permission="restore",
    )
    def restore(self, request: HttpRequest, form: object, object_id: str) -> HttpResponse:
        product = self._product(request, object_id)
        publishing.restore(product_id=product.pk)
        self.log_change(request, product, "Restored")
        messages.success(request, f"{product.title} is a draft again.")
        return reload(product)

    def _product(self, request: HttpRequest, object_id: str) -> Product:
        product: Product = row_or_404(self, request, object_id)
        return product


def _is_archived(object_id: object) -> bool:
    text = str(object_id)
    return (
        text.isdecimal()
        and Product.objects.filter(pk=int(text), archived_at__isnull=False).exists()
    )


def _standing(product: Product) -> str:
    if product.state == ProductState.SCHEDULED:
        return f"Scheduled for {product.publish_at:%-d %B %Y, %H:%M} UTC"
    return product.state.label
