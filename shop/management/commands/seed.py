"""Fill an empty shop with books: classics in the public domain, with covers drawn by us.

For measuring it goes on with invented ones, which share a cover per series.
"""

import tomllib
import zlib
from argparse import ArgumentParser
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.text import slugify

from shop import money, services
from shop.clock import now
from shop.covers import HEIGHT, WIDTH, draw_cover
from shop.invented_books import LARGEST, invented_book
from shop.models import Category, Product, ProductImage, Variant

BOOKS = Path(__file__).resolve().parents[2] / "books.toml"
REPORTS = 10


class Command(BaseCommand):
    help = "Put the sample books on the shelves. Safe to repeat: what is there is left as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--products",
            type=int,
            default=0,
            metavar="N",
            help="Go on with invented books until there are N, such as 1000 to measure with.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        books = _books(options["products"])
        at = now()
        added = 0
        for number, (sku, book) in enumerate(books.items(), start=1):
            added += _add(book, sku, at)
            if number % (len(books) // REPORTS or 1) == 0 or number == len(books):
                self.stdout.write(f"Seeding books: {number} of {len(books)}")
                self.stdout.flush()
        self.stdout.write(f"{added} books added, {len(books) - added} were there already.")


def _books(wanted: int) -> dict[str, dict[str, Any]]:
    """Return the books of the file, and invented ones up to `wanted` in all, each by its SKU.

    Raises CommandError.
    """
    books = tomllib.loads(BOOKS.read_text(encoding="utf-8"))["book"]
    categories = list({tuple(book["category"]): book["category"] for book in books}.values())
    missing = max(wanted - len(books), 0)
    if missing > LARGEST:
        raise CommandError(f"--products can be {len(books) + LARGEST} at most.")
    invented = (invented_book(number, categories) for number in range(1, missing + 1))
    return {f"BK-{number:03}": book for number, book in enumerate(books, start=1)} | {
        f"IN-{number:05}": book for number, book in enumerate(invented, start=1)
    }


@transaction.atomic
def _add(book: dict[str, Any], sku: str, at: datetime) -> bool:
    """Add the book whole, unless it or one of its SKUs is there; tell whether it was added."""
    slug = slugify(book["title"])
    editions = [
        # The SKU outlives a change of the title and its slug by staff.
        (f"{sku}-{edition[0].upper()}", edition, *book[edition])
        for edition in ("hardcover", "paperback")
        if edition in book
    ]
    is_known = Variant.objects.filter(sku__in=[sku for sku, *_ in editions]).exists()
    if is_known or Product.objects.filter(slug=slug).exists():
        return False

    product = Product.objects.create(
        title=book["title"],
        slug=slug,
        description=book["description"],
        attributes={
            "Author": book["author"],
            "First published": str(book["first_published"]),
            "Pages": str(book["pages"]),
        }
        | ({"Series": book["series"]} if "series" in book else {}),
        category=_shelf(book["category"]),
        # Spread over the past weeks, so that the newest books come from every shelf.
        created_at=at - timedelta(minutes=zlib.crc32(slug.encode()) % 40_000),
    )
    for position, (sku, edition, price, units) in enumerate(editions):
        variant = Variant.objects.create(
            product=product,
            sku=sku,
            title=edition.capitalize(),
            price_minor=_price_minor(price),
            currency=settings.SHOP_CURRENCY,
            position=position,
        )
        if units:
            services.receive(
                variant_id=variant.pk, quantity=units, reference="first delivery", at=at
            )
    ProductImage.objects.create(
        product=product,
        image=_cover(book, slug),
        width=WIDTH,
        height=HEIGHT,
        alt=f"Cover of {book['title']} by {book['author']}",
    )
    return True


def _cover(book: dict[str, Any], slug: str) -> "ContentFile[bytes] | str":
    """Return a picture to keep, or the name of the one that the book's series has already."""
    if "series" not in book:
        return ContentFile(draw_cover(book["title"], book["author"]), name=f"{slug}.webp")
    name = f"products/{slugify(book['series'])}.webp"
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(draw_cover(book["series"], settings.SHOP_NAME)))
    return name


def _shelf(names: list[str]) -> Category:
    """Return the category at the end of this path of names, made where it is missing."""
    *above, name = names
    parent = _shelf(above) if above else None
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
