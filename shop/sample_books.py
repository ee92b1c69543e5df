"""Books to fill shelves with: classics in the public domain, with covers drawn by us.

For measuring it goes on with invented ones, which share a cover per series.
"""

import tomllib
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.text import slugify

from shop import money, renditions, services
from shop.covers import HEIGHT, WIDTH, draw_cover
from shop.invented_books import LARGEST, invented_book
from shop.models import Category, Product, ProductImage, StockMovement, Variant

BOOKS = Path(__file__).resolve().parent / "books.toml"
_REPORTS = 10
_AT_ONCE = 1_000
_REFERENCE = "first delivery"
_EDITIONS = ("hardcover", "paperback")

Book = dict[str, Any]


class Cover(NamedTuple):
    """The file of a series' cover, and its smaller copies."""

    name: str
    renditions: list[renditions.Stored]


class TooManyBooks(ValueError):
    """So many books cannot be invented; the message says how many can."""


def fill_shelves(*, wanted: int, at: datetime, tell: Callable[[str], None]) -> None:
    """Put the books of the file on the shelves, and invented ones up to `wanted` in all.

    Safe to repeat: what is there is left as it is. Raises TooManyBooks, and then nothing was
    written.
    """
    books: list[Book] = tomllib.loads(BOOKS.read_text(encoding="utf-8"))["book"]
    invented = max(wanted - len(books), 0)
    if invented > LARGEST:
        raise TooManyBooks(f"There can be {len(books) + LARGEST} books at most.")
    total = len(books) + invented
    added = 0
    for number, book in enumerate(books, start=1):
        added += _add(book, f"BK-{number:03}", at)
        if number % (len(books) // _REPORTS or 1) == 0 or number == len(books):
            tell(f"Seeding books: {number:,} of {total:,}")
    categories = list({tuple(book["category"]): book["category"] for book in books}.values())
    shelf, cover = cache(_shelf), cache(_shared_cover)
    for first in range(1, invented + 1, _AT_ONCE):
        last = min(first + _AT_ONCE - 1, invented)
        numbers = range(first, last + 1)
        some = {f"IN-{number:05}": invented_book(number, categories) for number in numbers}
        added += _add_all(some, shelf, cover, at)
        tell(f"Seeding books: {len(books) + last:,} of {total:,}")
    tell(f"{added:,} books added, {total - added:,} were there already.")


@transaction.atomic
def _add(book: Book, sku: str, at: datetime) -> bool:
    """Add the book whole, unless it or one of its SKUs is there; tell whether it was added."""
    product = _product(book, _shelf(*book["category"]), at)
    variants = _variants(product, book, sku)
    # The SKU outlives a change of the title and its slug by staff.
    is_known = Variant.objects.filter(sku__in=variants).exists()
    if is_known or Product.objects.filter(slug=product.slug).exists():
        return False

    product.save()
    for variant, units in variants.values():
        variant.save()
        if units:
            services.receive(variant_id=variant.pk, quantity=units, reference=_REFERENCE, at=at)
    cover = ContentFile(draw_cover(book["title"], book["author"]), name=f"{product.slug}.webp")
    ProductImage.objects.create(
        product=product, image=cover, width=WIDTH, height=HEIGHT, alt=_alt(book)
    )
    return True


@transaction.atomic
def _add_all(
    books: dict[str, Book],
    shelf: Callable[..., Category],
    cover: Callable[[str], Cover],
    at: datetime,
) -> int:
    """Add those of the invented books, by SKU, that are not there; return how many.

    All at once, for there may be a hundred thousand: so not by the services, and no job scales the
    pictures. New rows need no lock, and each counter comes with its movement.
    """
    made = {sku: _product(book, shelf(*book["category"]), at) for sku, book in books.items()}
    variants = {sku: _variants(made[sku], book, sku) for sku, book in books.items()}
    skus = [variant_sku for editions in variants.values() for variant_sku in editions]
    known_skus = set(Variant.objects.filter(sku__in=skus).values_list("sku", flat=True))
    slugs = [product.slug for product in made.values()]
    known_slugs = set(Product.objects.filter(slug__in=slugs).values_list("slug", flat=True))
    new = [
        sku
        for sku, product in made.items()
        if product.slug not in known_slugs and known_skus.isdisjoint(variants[sku])
    ]

    Product.objects.bulk_create(made[sku] for sku in new)
    stocked = [row for sku in new for row in variants[sku].values()]
    for variant, units in stocked:
        variant.on_hand = units
    Variant.objects.bulk_create(variant for variant, _units in stocked)
    StockMovement.objects.bulk_create(
        StockMovement(
            variant=variant,
            kind=StockMovement.Kind.RECEIVED,
            on_hand_delta=units,
            reference=_REFERENCE,
            moved_at=at,
        )
        for variant, units in stocked
        if units
    )
    ProductImage.objects.bulk_create(
        ProductImage(
            product=made[sku],
            image=cover(books[sku]["series"]).name,
            width=WIDTH,
            height=HEIGHT,
            renditions=cover(books[sku]["series"]).renditions,
            alt=_alt(books[sku]),
        )
        for sku in new
    )
    return len(new)


def _product(book: Book, shelf: Category, at: datetime) -> Product:
    slug = slugify(book["title"])
    return Product(
        title=book["title"],
        slug=slug,
        description=book["description"],
        attributes={
            "Author": book["author"],
            "First published": str(book["first_published"]),
            "Pages": str(book["pages"]),
        }
        | ({"Series": book["series"]} if "series" in book else {}),
        category=shelf,
        # Spread over the past weeks, so that the newest books come from every shelf.
        created_at=at - timedelta(minutes=zlib.crc32(slug.encode()) % 40_000),
    )


def _variants(product: Product, book: Book, sku: str) -> dict[str, tuple[Variant, int]]:
    """Return the editions of a book by SKU, each with the units that were delivered of it."""
    editions = [edition for edition in _EDITIONS if edition in book]
    return {
        f"{sku}-{edition[0].upper()}": (
            Variant(
                product=product,
                sku=f"{sku}-{edition[0].upper()}",
                title=edition.capitalize(),
                price_minor=_price_minor(book[edition][0]),
                currency=settings.SHOP_CURRENCY,
                position=position,
            ),
            book[edition][1],
        )
        for position, edition in enumerate(editions)
    }


def _alt(book: Book) -> str:
    return f"Cover of {book['title']} by {book['author']}"


def _shared_cover(series: str) -> Cover:
    """Return the cover that the volumes of a series share, drawn unless it is there."""
    name = f"products/{slugify(series)}.webp"
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(draw_cover(series, settings.SHOP_NAME)))
    return Cover(name, renditions.store_shared(name))


def _shelf(*names: str) -> Category:
    """Return the category at the end of this path of names, made where it is missing."""
    *above, name = names
    parent = _shelf(*above) if above else None
    shelf, _created = Category.objects.get_or_create(
        slug=slugify(name),
        defaults={"name": name, "parent": parent, "position": Category.objects.count()},
    )
    return shelf


def _price_minor(cents: int) -> int:
    """Return a price given in cents of the euro in minor units of the shop's currency.

    Stripe's minimums are worth about the same everywhere, so they serve as rough exchange rates.
    """
    euro, ours = money.currency("EUR"), money.currency(settings.SHOP_CURRENCY)
    return cents * ours.minimum_minor // euro.minimum_minor
