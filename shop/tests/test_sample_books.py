from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db.models import Sum
from django.utils.text import slugify
from procrastinate.contrib.django.models import ProcrastinateJob

from shop import renditions, sample_books, services
from shop.clock import now
from shop.invented_books import invented_book
from shop.models import Category, Product, ProductImage, StockMovement, Variant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings: LazySettings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def seed(products: int = 0) -> str:
    told: list[str] = []
    sample_books.fill_shelves(wanted=products, at=now(), tell=told.append)
    return told[-1]


def everything() -> dict[str, list[object]]:
    tables = (Category, Product, Variant, ProductImage, StockMovement)
    return {
        table.__name__: list(table._default_manager.order_by("pk").values()) for table in tables
    }


def test_fills_the_shelves_with_books_to_buy() -> None:
    printed = seed()

    assert Product.objects.on_sale().count() == 72
    assert not Product.objects.filter(description="").exists()
    assert not Product.objects.exclude(attributes__has_keys=["Author", "Pages"]).exists()
    assert Category.objects.filter(parent=None).count() == 5
    assert Variant.objects.filter(on_hand=0).count() == 5
    assert Variant.objects.filter(on_hand__range=(1, 3)).count() == 18
    assert set(ProductImage.objects.values_list("width", "height")) == {(600, 900)}
    assert ProductImage.objects.count() == 72
    moved = StockMovement.objects.aggregate(units=Sum("on_hand_delta"))
    assert moved == Variant.objects.aggregate(units=Sum("on_hand"))
    assert printed == "72 books added, 0 were there already."


@pytest.fixture
def two_books(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    books = tmp_path / "books.toml"
    first, second = sample_books.BOOKS.read_text().split("[[book]]")[1:3]
    books.write_text(f"[[book]]{first}[[book]]{second}")
    monkeypatch.setattr(sample_books, "BOOKS", books)


@pytest.mark.usefixtures("two_books")
def test_second_run_changes_nothing_even_after_staff_did() -> None:
    seed()
    variant = Variant.objects.get(sku="BK-001-P")
    Variant.objects.filter(pk=variant.pk).update(price_minor=1)
    services.adjust(variant_id=variant.pk, difference=-2, reason="damaged", at=now())
    Product.objects.filter(pk=variant.product_id).update(title="Renamed", slug="renamed")
    Category.objects.update(name="Renamed")
    before = everything()

    printed = seed()

    assert everything() == before
    assert printed == "0 books added, 2 were there already."


@pytest.mark.usefixtures("two_books")
@pytest.mark.parametrize(
    ("currency", "price_minor"), [("EUR", 8_90), ("GBP", 5_34), ("JPY", 890), ("HUF", 3_115_00)]
)
def test_prices_fit_the_currency(settings: LazySettings, currency: str, price_minor: int) -> None:
    settings.SHOP_CURRENCY = currency

    seed()

    variant = Variant.objects.get(sku="BK-001-P")
    assert (variant.currency, variant.price_minor) == (currency, price_minor)


@pytest.mark.usefixtures("two_books")
def test_goes_on_with_invented_books_up_to_the_number_asked_for() -> None:
    seed(products=6)
    before = everything()
    printed = seed(products=20)

    assert Product.objects.on_sale().count() == 20
    assert printed == "14 books added, 6 were there already."
    after = everything()
    assert all(row in after[table] for table, rows in before.items() for row in rows)
    moved = StockMovement.objects.aggregate(units=Sum("on_hand_delta"))
    assert moved == Variant.objects.aggregate(units=Sum("on_hand"))
    invented = Product.objects.get(variants__sku="IN-00003-P")
    assert (invented.title, invented.category.name) == ("Grimaldi's River", "Novels")
    assert list(invented.variants.values_list("title", "price_minor", "on_hand")) == [
        ("Paperback", 7_90, 4)
    ]


@pytest.mark.usefixtures("two_books")
def test_invented_books_of_a_series_share_a_cover_that_outlives_each(tmp_path: Path) -> None:
    seed(products=27)

    invented = ProductImage.objects.filter(product__variants__sku__startswith="IN-").distinct()
    shared = list(invented)
    names = sorted({str(picture.image) for picture in shared})
    assert (len(shared), len(names)) == (25, 12)
    copies = {copy["name"] for picture in shared for copy in picture.renditions}
    assert len(copies) == 12 * 8
    assert all((tmp_path / name).is_file() for name in [*names, *copies])
    # Those of the two other books alone are scaled by jobs.
    assert ProcrastinateJob.objects.count() == 2
    gone_id, name = shared[0].pk, str(shared[0].image)
    shared[0].delete()
    renditions.settle(image_id=gone_id, original=name)
    assert all((tmp_path / name).is_file() for name in [*names, *copies])


@pytest.mark.usefixtures("two_books")
def test_more_books_than_can_be_invented_are_refused() -> None:
    with pytest.raises(sample_books.TooManyBooks, match="1000002 books at most"):
        seed(products=1_000_003)

    assert not Product.objects.exists()


def test_invented_books_are_always_the_same_and_no_title_comes_twice() -> None:
    books = [invented_book(number, [["Novels"]]) for number in range(1, 30_001)]

    assert len({slugify(book["title"]) for book in books}) == 30_000
    assert books[:4] == [invented_book(number, [["Novels"]]) for number in range(1, 5)]
    assert [book["title"] for book in [*books[:4], books[10_000], books[20_001]]] == [
        "The Bitter Archive",
        "The Clock of Ashcombe",
        "Grimaldi's River",
        "Letters to a Golden Cartographer",
        "The Bitter Archive, Volume 2",
        "The Clock of Ashcombe, Volume 3",
    ]
