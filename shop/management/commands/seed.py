"""Fill an empty shop with books: classics in the public domain, with covers drawn by us."""

import tomllib
import zlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils.text import slugify

from shop import money, services
from shop.clock import now
from shop.covers import draw_cover
from shop.models import Category, Product, ProductImage, Variant

BOOKS = Path(__file__).resolve().parents[2] / "books.toml"
REPORT_EVERY = 12


class Command(BaseCommand):
    help = "Put the sample books on the shelves. Safe to repeat: what is there is left as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        books = tomllib.loads(BOOKS.read_text(encoding="utf-8"))["book"]
        at = now()
        added = 0
        for number, book in enumerate(books, start=1):
            added += _add(book, number, at)
            if number % REPORT_EVERY == 0 or number == len(books):
                self.stdout.write(f"Seeding books: {number} of {len(books)}")
                self.stdout.flush()
        self.stdout.write(f"{added} books added, {len(books) - added} were there already.")


@transaction.atomic
def _add(book: dict[str, Any], number: int, at: datetime) -> bool:
    """Add the book whole, unless it or one of its SKUs is there; tell whether it was added."""
    slug = slugify(book["title"])
    editions = [
        # The SKU outlives a change of the title and its slug by staff.
        (f"BK-{number:03}-{edition[0].upper()}", edition, *book[edition])
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
        },
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
        image=ContentFile(draw_cover(book["title"], book["author"]), name=f"{slug}.webp"),
        alt=f"Cover of {book['title']} by {book['author']}",
    )
    return True


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
