"""What the rows of a file do to products, prices and stock, and what keeps them out."""

import json
import signal
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from backoffice.imports import runs
from backoffice.imports.files import UnfitFile
from backoffice.models import AuditEntry, ImportRow, ImportRun
from backoffice.tests.imported import (
    Table,
    as_csv,
    as_xlsx,
    finish,
    imported,
    looked_over,
    problems,
    rows,
    work,
)
from cart.tests.test_races import overlapping
from payments.tests.processes import run_code
from payments.tests.snapshots import everything
from shop import prices, services
from shop.clock import now
from shop.models import Category, PriceChange, Product, StockMovement, Variant
from shop.tests.factories import CategoryFactory, ProductFactory, VariantFactory

pytestmark = pytest.mark.django_db

NEW_BOOK: Table = [
    ["SKU", "Title", "Category", "Variant", "Price", "Stock", "Published", "attribute: Author"],
    ["EMMA-P", "Emma", "Fiction > Classics", "Paperback", "9.90", 12, "yes", "Jane Austen"],
    ["EMMA-H", "Emma", "", "Hardcover", "19,90", "", "", ""],
]


def catalog() -> dict[str, list[dict[str, Any]]]:
    """Return all that an import could write."""
    mine = ("shop.", "backoffice.AuditEntry")
    return {name: rows for name, rows in everything().items() if name.startswith(mine)}


def test_rows_make_a_product_with_its_variants_category_and_stock(boss: User) -> None:
    run = imported(boss, NEW_BOOK)

    assert (run.state, problems(run)) == ("done", {})
    product = Product.objects.get()
    assert (product.title, product.slug, product.is_published) == ("Emma", "emma", True)
    assert product.attributes == {"Author": "Jane Austen"}
    assert (product.category.name, str(product.category.parent)) == ("Classics", "Fiction")
    paperback, hardcover = product.variants.all()
    assert (paperback.sku, paperback.title, paperback.price_minor) == ("EMMA-P", "Paperback", 9_90)
    assert (hardcover.sku, hardcover.title, hardcover.price_minor) == ("EMMA-H", "Hardcover", 19_90)
    assert (paperback.on_hand, hardcover.on_hand, hardcover.currency) == (12, 0, "EUR")
    movement = StockMovement.objects.get()
    assert (movement.on_hand_delta, movement.reference) == (12, str(run))
    assert movement.moved_by_id == boss.pk


def test_looking_over_tells_all_of_it_and_writes_nothing(boss: User) -> None:
    CategoryFactory(name="fiction", slug="fiction")
    before = catalog()

    run = looked_over(boss, NEW_BOOK)

    assert catalog() == before
    assert run.state == "checked"
    assert [(row.state, row.adds) for row in run.rows.all()] == [
        ("fit", "product"),
        ("fit", "variant"),
    ]
    assert rows(run)[2].changes == [
        ["variant", "", "Paperback"],
        ["price", "", "€9.90"],
        ["active", "", "yes"],
        ["stock", "", "+12"],
        ["title", "", "Emma"],
        ["slug", "", "emma"],
        ["category", "", "fiction > Classics"],
        ["published", "", "yes"],
        ["attribute: Author", "", "Jane Austen"],
    ]


def test_a_new_product_is_a_draft_unless_the_file_says_otherwise(boss: User) -> None:
    CategoryFactory(name="Poems")

    imported(boss, [["sku", "title", "category", "variant", "price"], ["A", "B", "poems", "C", 1]])

    assert Product.objects.get().is_published is False
    assert Category.objects.count() == 1


def test_rows_change_what_they_say_and_leave_the_rest(boss: User) -> None:
    book = VariantFactory(sku="W", price_minor=12_00, on_hand=8, low_stock_at=3)
    Product.objects.update(attributes={"Author": "Thoreau", "Year": "1854"}, title="Walden")

    run = imported(
        boss,
        [
            ["sku", "price", "stock_change", "attribute: year", "attribute: Author", "title"],
            ["W", "13,50", "-2", "", "Henry Thoreau", ""],
        ],
    )

    assert rows(run)[2].changes == [
        ["price", "€12.00", "€13.50"],
        ["stock", "", "-2"],
        ["attribute: Author", "Thoreau", "Henry Thoreau"],
    ]
    book.refresh_from_db()
    assert (book.price_minor, book.on_hand, book.low_stock_at) == (13_50, 6, 3)
    assert book.product.attributes == {"Author": "Henry Thoreau", "Year": "1854"}
    assert book.product.is_published is True
    change = PriceChange.objects.get()
    assert (change.old_minor, change.new_minor, change.by_user_id) == (12_00, 13_50, boss.pk)
    assert change.why == str(run)


def test_staff_who_imported_stand_in_the_log_of_changes(boss: User) -> None:
    VariantFactory(sku="W", price_minor=12_00)

    run = imported(boss, [["sku", "active"], ["W", "no"]])

    entry = AuditEntry.objects.get(model="shop.variant")
    assert (entry.by_user_id, entry.how) == (boss.pk, str(run))
    assert (entry.before, entry.after) == ({"is_active": True}, {"is_active": False})


def test_what_is_so_already_is_not_written(boss: User) -> None:
    VariantFactory(sku="W", title="Paperback", price_minor=12_00, on_hand=8)
    before = catalog()

    run = imported(boss, [["sku", "variant", "price", "stock"], ["W", "Paperback", "12.00", 8]])

    assert rows(run)[2].state == "same"
    assert catalog() == before


def test_a_variant_joins_the_product_whose_slug_its_row_says(boss: User) -> None:
    walden = VariantFactory(sku="W", product__slug="walden").product

    run = imported(
        boss, [["sku", "slug", "variant", "price"], ["W-H", "Walden", "Hardcover", "20"]]
    )

    assert [(row.state, row.adds) for row in run.rows.all()] == [("done", "variant")]
    assert [v.sku for v in walden.variants.all()] == ["W", "W-H"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"price": "cheap"}, "price: 'cheap' is not a price such as 12.90."),
        ({"price": "1.234,50"}, "price: '1.234,50' is not a price such as 12.90."),
        ({"price": "9.999"}, "price: Ensure that there are no more than 2 decimal places."),
        ({"stock": "-1"}, "stock: '-1' is not a number of units."),
        ({"stock": "1.5"}, "stock: '1.5' is not a number of units."),
        ({"stock": 1}, "stock: 1 would be left, and pending orders hold 3."),
        ({"stock_change": "-6"}, "stock: 2 would be left, and pending orders hold 3."),
        ({"stock_change": "a few"}, "stock_change: 'a few' is not a number of units such as -2."),
        ({"stock": 5, "stock_change": 1}, "stock: fill in stock or stock_change, not both."),
        ({"published": "maybe"}, "published: 'maybe' is not yes or no."),
        ({"active": "x"}, "active: 'x' is not yes or no."),
        ({"low_stock_at": "few"}, "low_stock_at: Enter a whole number."),
        ({"slug": "other"}, "slug: this SKU belongs to walden."),
        ({"title": "x" * 201}, "title: Ensure this value has at most 200 characters (it has 201)."),
        ({"category": "Poems"}, "category: there is more than one Poems. Write the way to it."),
        ({"category": "Fiction >"}, "category: 'Fiction > ' is not the way to a category."),
        ({"sku": "NEW"}, "variant: This field is required. price: This field is required."),
        ({"sku": ""}, "sku: it is missing."),
    ],
)
def test_a_row_with_a_problem_is_left_out_and_says_why(
    boss: User, said: dict[str, Any], words: str
) -> None:
    book = VariantFactory(sku="W", on_hand=8, product__slug="walden", product__category__name="A")
    services.reserve(quantities={book.pk: 3}, reference="R1", at=now())
    for parent in ("Fiction", "Nature"):
        shelf = CategoryFactory(name=parent)
        CategoryFactory(name="Poems", parent=shelf)
    VariantFactory(sku="GOOD", price_minor=10_00)
    before = catalog()
    row = {"sku": "W", "slug": "walden", "title": "", "price": ""} | said

    run = looked_over(boss, [["variant", *row], ["", *row.values()]])

    assert problems(run).keys() == {2}
    assert " ".join(problems(run)[2]) == words
    finish(run, boss)
    assert catalog() == before


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            {"title": ""},
            "sku: there is none like this. A new product needs a title, a new variant the slug of "
            "its product.",
        ),
        ({"title": "???"}, "slug: this title makes none. Fill it in."),
        ({"category": ""}, "category: This field is required."),
        ({"slug": "a b"}, "slug: Enter a valid “slug” consisting of letters, numbers,"),
        (
            {"title": "Walden"},
            "slug: there is a product with walden already. Fill it in if this is a variant of "
            "that, or another one for a new product.",
        ),
    ],
)
def test_a_new_product_needs_what_the_form_asks_for(
    boss: User, said: dict[str, str], words: str
) -> None:
    ProductFactory(slug="walden")
    before = catalog()
    row = {"sku": "N", "title": "New", "slug": "", "category": "Made for it"} | said

    run = imported(boss, [[*row, "variant", "price"], [*row.values(), "Paperback", "9.90"]])

    assert " ".join(problems(run)[2]).startswith(words)
    assert catalog() == before


def test_good_rows_go_in_beside_bad_ones(boss: User) -> None:
    VariantFactory(sku="W", price_minor=12_00)

    run = imported(
        boss,
        [
            ["sku", "title", "category", "variant", "price"],
            ["EMMA-P", "Emma", "Fiction", "Paperback", "9.90"],
            ["EMMA-H", "Emma", "Fiction", "Hardcover", "dear"],
            ["EMMA-A", "Emma II", "Fiction", "Audio", "9.90"],
            ["W", "", "", "", "13"],
            ["W", "", "", "", "14"],
        ],
    )

    assert problems(run) == {
        3: ["price: 'dear' is not a price such as 12.90."],
        6: ["sku: it stands in a row above."],
    }
    prices = dict(Variant.objects.values_list("sku", "price_minor"))
    assert prices == {"EMMA-P": 9_90, "EMMA-A": 9_90, "W": 13_00}


def test_rows_of_one_product_must_not_contradict_each_other(boss: User) -> None:
    table = [row[:5] for row in NEW_BOOK]
    table[2] = ["EMMA-H", "Emma", "Poems", "Hardcover", "19.90"]

    run = imported(boss, table)

    assert problems(run) == {
        3: ["category: another row of this product says 'Fiction > Classics'."]
    }
    assert Variant.objects.get().sku == "EMMA-P"


def test_a_sale_between_the_look_and_the_import_is_kept(boss: User) -> None:
    book = VariantFactory(sku="W", on_hand=8)
    run = looked_over(boss, [["sku", "stock"], ["W", 10]])
    services.reserve(quantities={book.pk: 3}, reference="R1", at=now())
    services.sell(quantities={book.pk: 3}, reference="R1", at=now())

    finish(run, boss)

    book.refresh_from_db()
    assert book.on_hand == 7


def test_a_product_that_somebody_changed_after_the_look_is_left_as_he_made_it(boss: User) -> None:
    book = VariantFactory(sku="W", price_minor=12_00)
    other = VariantFactory(sku="O", price_minor=12_00)
    run = looked_over(boss, [["sku", "price"], ["W", "13"], ["O", "13"]])
    new = prices.NewPrice(book.pk, 12_00, 11_00)
    prices.change_prices(prices=[new], why="sale", by_user_id=None, at=now())

    finish(run, boss)

    for variant in (book, other):
        variant.refresh_from_db()
    assert (book.price_minor, other.price_minor) == (11_00, 13_00)
    assert problems(run) == {
        2: [
            "Somebody changed this product after the file was looked over, so nothing of it was "
            "imported."
        ]
    }


def test_a_job_that_comes_twice_moves_stock_once(boss: User) -> None:
    VariantFactory(sku="W", on_hand=8)
    run = looked_over(boss, [["sku", "stock_change"], ["W", "+5"]])
    runs.start(run_id=run.pk, by=boss.pk)

    runs.go_on(run_id=run.pk, at=now())
    ImportRun.objects.update(state=ImportRun.State.IMPORTING)
    runs.go_on(run_id=run.pk, at=now())

    assert Variant.objects.get().on_hand == 13


@pytest.mark.django_db(transaction=True)
def test_two_jobs_at_once_move_stock_once(boss: User) -> None:
    VariantFactory(sku="W", on_hand=8)
    run = looked_over(boss, [["sku", "stock_change"], ["W", "+5"]])
    runs.start(run_id=run.pk, by=boss.pk)

    def job() -> None:
        runs.go_on(run_id=run.pk, at=now())

    overlapping(job, job)

    assert Variant.objects.get().on_hand == 13


def test_an_xlsx_file_is_read_like_a_csv_file(boss: User) -> None:
    table: Table = [
        [None, "sku", "title", "category", "variant", "price", "stock", "published"],
        [],
        [None, 9780141439587, "Emma", "Fiction", "Paperback", 9.9, 12.0, True],
    ]

    run = imported(boss, as_xlsx(table))

    assert [(row.number, row.state) for row in run.rows.all()] == [(3, "done")]
    variant = Variant.objects.get()
    assert (variant.sku, variant.price_minor, variant.on_hand) == ("9780141439587", 9_90, 12)
    assert variant.product.is_published is True


def test_a_file_of_a_spreadsheet_on_windows_is_read(boss: User) -> None:
    content = "SKU;Title;Category;Variant;Price\r\nX;Les Misérables;Été;Poche;9,90\r\n"

    imported(boss, content.encode("cp1252"))

    product = Product.objects.get()
    assert (product.title, product.category.name) == ("Les Misérables", "Été")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "There is nothing in this file below the names of its columns."),
        (b"sku,price\n\n,\n", "There is nothing in this file below the names of its columns."),
        (b"title\nEmma\n", "None of the columns is named sku in the first row."),
        (b"sku,colour\nA,red\n", "These columns are not known: colour. Known are sku, title,"),
        (b"sku,SKU\nA,B\n", "These columns are there more than once: sku."),
        (b"sku\nA\0B\n", "This is neither a CSV file nor an XLSX file."),
        (b"sku\n" + b"x" * 140_000, "This is neither a CSV file nor an XLSX file."),
        (b"\xd0\xcf\x11\xe0rest", "This is a file of an old Excel: save it as .xlsx or as CSV."),
        (b"PK\x03\x04rest", "This XLSX file cannot be read: save it again, or as CSV."),
        (b"x" * 5_000_001, "This file is larger than 5 MB: import it in parts."),
        (b"sku\n" + b"A\n" * 20_001, "These are more than 20,000 rows: import them in parts."),
    ],
)
def test_what_is_no_table_is_refused(boss: User, content: bytes, words: str) -> None:
    with pytest.raises(UnfitFile) as refused:
        runs.upload(name="x", content=content, key=uuid4(), by=boss.pk, at=now())

    assert str(refused.value).startswith(words)
    assert not ImportRun.objects.exists()


def test_cells_beyond_the_columns_are_a_problem_unless_they_are_empty(boss: User) -> None:
    VariantFactory(sku="A")
    VariantFactory(sku="B")

    run = looked_over(boss, b"sku,price\nA,1,,\nB,2,90\n")

    assert problems(run) == {
        3: ["It has more cells than the first row: is a text without its quotes?"]
    }


def test_a_form_that_is_sent_twice_is_one_import(boss: User) -> None:
    VariantFactory(sku="W")
    key = uuid4()
    content = as_csv([["sku", "price"], ["W", "13"]])

    first, second = (
        runs.upload(name="x.csv", content=content, key=key, by=boss.pk, at=now()) for _ in range(2)
    )

    assert first == second
    assert ImportRow.objects.count() == 1


def test_an_import_is_begun_or_discarded_once(boss: User) -> None:
    VariantFactory(sku="W", price_minor=12_00)
    table: Table = [["sku", "price"], ["W", "13"]]
    begun, dropped = looked_over(boss, table), looked_over(boss, table)

    assert runs.start(run_id=begun.pk, by=boss.pk)
    assert runs.discard(run_id=dropped.pk)

    assert not runs.start(run_id=begun.pk, by=boss.pk)
    assert not runs.discard(run_id=begun.pk)
    assert not runs.start(run_id=dropped.pk, by=boss.pk)
    runs.go_on(run_id=dropped.pk, at=now())
    assert Variant.objects.get().price_minor == 12_00


def test_the_job_takes_a_hundred_products_and_queues_the_next(boss: User) -> None:
    variants = VariantFactory.create_batch(101, on_hand=0, price_minor=1_00)
    table = [["sku", "price"], *[[variant.sku, "2"] for variant in variants]]
    run = runs.upload(name="x", content=as_csv(table), key=uuid4(), by=boss.pk, at=now())

    runs.go_on(run_id=run.pk, at=now())

    run.refresh_from_db()
    assert run.state == "checking"
    assert run.rows.filter(state="fit").count() == 100
    work(run)
    assert (run.state, run.rows.filter(state="fit").count()) == ("checked", 101)
    assert jobs() == [{"run_id": run.pk}] * 2


def jobs() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT args FROM procrastinate_jobs WHERE task_name LIKE '%go_on_with_import'"
        )
        return [json.loads(args) for (args,) in cursor.fetchall()]


def test_a_products_rows_cost_a_fixed_number_of_queries(boss: User) -> None:
    def queries(sku: str, count: int) -> int:
        for _ in range(count):
            CategoryFactory()
        run = looked_over(boss, [["sku", "price"], [sku, "2"]])
        runs.start(run_id=run.pk, by=boss.pk)
        with CaptureQueriesContext(connection) as seen:
            runs.go_on(run_id=run.pk, at=now())
        return len(seen)

    first, second = VariantFactory(sku="A"), VariantFactory(sku="B")
    VariantFactory.create_batch(20, product=second.product)

    assert queries(first.sku, 0) == queries(second.sku, 30)


def test_imports_are_forgotten_after_ninety_days(boss: User) -> None:
    VariantFactory(sku="W")
    run = looked_over(boss, [["sku"], ["W"]])

    runs.forget(at=run.uploaded_at + timedelta(days=90))
    assert ImportRow.objects.count() == 1

    runs.forget(at=run.uploaded_at + timedelta(days=90, seconds=1))
    assert (ImportRun.objects.count(), ImportRow.objects.count()) == (0, 0)


@pytest.mark.no_cover
@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_killed_between_products_goes_on_and_does_none_twice(
    process_environment: Mapping[str, str], boss: User
) -> None:
    for sku in ("A", "B", "C"):
        VariantFactory(sku=sku, on_hand=8)
    run = looked_over(boss, [["sku", "stock_change"], ["A", "1"], ["B", "1"], ["C", "1"]])
    runs.start(run_id=run.pk, by=boss.pk)
    code = f"from backoffice.tasks import go_on_with_import; go_on_with_import.func({run.pk})"

    killed = run_code(process_environment, "imports:between-products", code)

    assert killed == -signal.SIGKILL
    assert sorted(Variant.objects.values_list("on_hand", flat=True)) == [8, 8, 9]
    assert run_code(process_environment, "", code) == 0
    assert list(Variant.objects.values_list("on_hand", flat=True)) == [9, 9, 9]
    run.refresh_from_db()
    assert run.state == "done"
