"""Imports in the admin: sent in, looked at, decided on, followed, and mended."""

import csv
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import UserFactory
from backoffice.models import ImportRun
from backoffice.tests.imported import as_csv, imported, looked_over, problems, work
from shop.models import Category, Product, Variant
from shop.tests.clerks import clerk_who_may
from shop.tests.factories import CategoryFactory, VariantFactory

pytestmark = pytest.mark.django_db


def send(staff: Client, content: bytes, key: object = None) -> Any:
    file = SimpleUploadedFile("books.csv", content)
    form = {"file": file, "key": key or uuid4()}
    return staff.post(reverse("admin:backoffice_importrun_new_import"), form)


def page_of(run: ImportRun, deed: str = "change") -> str:
    return reverse(f"admin:backoffice_importrun_{deed}", args=[run.pk])


def test_a_file_is_sent_in_looked_over_and_imported(staff: Client, boss: User) -> None:
    VariantFactory(sku="W", price_minor=12_00)

    answer = send(staff, as_csv([["sku", "price"], ["W", "13"], ["X", "dear"]]))

    run = ImportRun.objects.get()
    assert answer.headers["Location"] == page_of(run)
    assert run.by_user_id == boss.pk
    running = staff.get(page_of(run)).content.decode()
    assert "0 of 2 rows" in running
    assert 'hx-trigger="load delay:2s"' in running
    assert page_of(run, "start") not in running
    work(run)
    checked = staff.get(page_of(run)).content.decode()
    assert "Import 1 row<" in " ".join(checked.split()).replace(" <", "<")
    assert "load delay" not in checked
    assert "price: &#x27;dear&#x27; is not a price such as 12.90." in checked
    assert Variant.objects.get().price_minor == 12_00

    first, second = (staff.post(page_of(run, "start"), follow=True) for _ in range(2))

    assert "The file is being imported" in first.content.decode()
    assert "This was begun before, and is done once." in second.content.decode()
    run.refresh_from_db()
    work(run)
    assert Variant.objects.get().price_minor == 13_00
    assert "What was imported" in staff.get(page_of(run)).content.decode()


def test_a_file_that_is_none_says_so_beside_the_field(staff: Client) -> None:
    answer = send(staff, b"title\nEmma\n")

    assert answer.status_code == 422
    assert answer.context["form"].errors == {
        "file": ["None of the columns is named sku in the first row."]
    }
    assert not ImportRun.objects.exists()


def test_the_same_form_leads_to_the_same_import(staff: Client) -> None:
    key = uuid4()

    first, second = (send(staff, b"sku\nW\n", key) for _ in range(2))

    assert first.headers["Location"] == second.headers["Location"]
    assert ImportRun.objects.count() == 1


def test_a_file_is_discarded(staff: Client, boss: User) -> None:
    VariantFactory(sku="W", price_minor=12_00)
    run = looked_over(boss, [["sku", "price"], ["W", "13"]])

    page = staff.post(page_of(run, "discard"), follow=True).content.decode()

    assert "The file was discarded. Nothing of it was imported." in page
    assert page_of(run, "start") not in page
    assert Variant.objects.get().price_minor == 12_00


@pytest.mark.parametrize("deed", ["start", "discard"])
def test_nothing_is_decided_by_looking(staff: Client, boss: User, deed: str) -> None:
    run = looked_over(boss, [["sku"], ["W"]])

    answer: Any = staff.get(page_of(run, deed))

    assert answer.headers["Location"] == page_of(run)
    run.refresh_from_db()
    assert run.state == "checked"


def test_rows_that_were_left_out_come_as_a_file_that_can_be_imported_once_mended(
    staff: Client, boss: User
) -> None:
    VariantFactory(sku="=W", price_minor=12_00)
    VariantFactory(sku="O", price_minor=12_00)
    run = imported(boss, [["price", "sku"], ["dear", "'=W"], ["13", "O"]])

    answer: Any = staff.get(page_of(run, "left_out"))

    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="import-{run.pk}-left-out.csv"'
    )
    table = list(csv.reader(StringIO(answer.getvalue().decode("utf-8-sig"))))
    assert table == [
        ["price", "sku", "problem"],
        ["dear", "'=W", "price: 'dear' is not a price such as 12.90."],
    ]
    table[1][0] = "14"
    mended = imported(boss, as_csv(table))
    assert problems(mended) == {}
    assert dict(Variant.objects.values_list("sku", "price_minor")) == {"=W": 14_00, "O": 13_00}


def test_what_was_exported_is_imported_again_and_changes_nothing(staff: Client, boss: User) -> None:
    emma = VariantFactory(sku="-E", title="Hardcover", low_stock_at=2, is_active=False).product
    Product.objects.update(
        title="Emma", attributes={"Author": "Jane Austen", "Year": "1815"}, description="=A\nnovel"
    )
    fiction = CategoryFactory(name="Fiction")
    Category.objects.filter(products=emma).update(name="Classics", parent=fiction)
    VariantFactory(sku="W", product__attributes={"Pages": "300"}, product__is_published=False)

    exported: Any = staff.get(reverse("admin:shop_variant_export_products"))
    content = exported.getvalue()

    (row, _walden) = csv.DictReader(StringIO(content.decode("utf-8-sig")))
    assert row == {
        "sku": "'-E",
        "title": "Emma",
        "slug": emma.slug,
        "category": "Fiction > Classics",
        "description": "'=A\nnovel",
        "published": "yes",
        "variant": "Hardcover",
        "price": "12.00",
        "active": "no",
        "low_stock_at": "2",
        "on_hand": "10",
        "attribute: Author": "Jane Austen",
        "attribute: Pages": "",
        "attribute: Year": "1815",
    }
    run = looked_over(boss, content)
    assert [(row.state, row.problems) for row in run.rows.all()] == [("same", [])] * 2


def test_the_export_keeps_to_the_list_and_costs_as_much_for_any_number(staff: Client) -> None:
    def exported(query: dict[str, str]) -> tuple[int, list[str]]:
        with CaptureQueriesContext(connection) as queries:
            answer: Any = staff.get(reverse("admin:shop_variant_export_products"), query)
            text = answer.getvalue().decode("utf-8-sig")
        return len(queries), [row["sku"] for row in csv.DictReader(StringIO(text))]

    VariantFactory(sku="A-1")
    # The first one finds out which type of row a user is, for the trace.
    exported({})
    few, _skus = exported({})
    VariantFactory.create_batch(20)

    many, skus = exported({})

    assert (few, len(skus)) == (many, 21)
    assert exported({"q": "A-1"})[1] == ["A-1"]


def test_the_page_tells_how_many_problems_it_leaves_to_the_file(staff: Client, boss: User) -> None:
    run = looked_over(boss, [["sku", "price"], *([f"N{number}", "dear"] for number in range(203))])

    page = staff.get(page_of(run)).content.decode()

    assert page.count("&#x27;dear&#x27; is not a price") == 200
    assert "And 3 more, in the file." in page


def test_the_page_shows_rows_in_parts_for_the_same_queries(staff: Client, boss: User) -> None:
    def shown(count: int, page: int) -> tuple[int, Any]:
        skus = [VariantFactory(price_minor=1).sku for _ in range(count)]
        run = looked_over(boss, [["sku", "price"], *([sku, "2"] for sku in skus)])
        with CaptureQueriesContext(connection) as queries:
            answer: Any = staff.get(page_of(run), {"page": page})
        return len(queries), answer

    few, _page = shown(3, 1)
    many, page = shown(51, 2)

    assert few == many <= 10
    assert [row.number for row in page.context["page"]] == [52]


def test_who_may_look_and_not_import_sees_no_buttons(boss: User) -> None:
    run = looked_over(boss, [["sku"], ["W"]])
    clerk = clerk_who_may("view_importrun")

    page = clerk.get(page_of(run)).content.decode()

    assert page_of(run, "discard") not in page
    assert clerk.post(page_of(run, "discard")).status_code == 403
    assert send(clerk, b"sku\nW\n").status_code == 403
    assert ImportRun.objects.get().state == "checked"


@pytest.mark.parametrize("page", ["change", "left_out"])
def test_others_of_the_staff_see_nothing_of_it(client: Client, boss: User, page: str) -> None:
    run = looked_over(boss, [["sku"], ["W"]])
    client.force_login(UserFactory(is_staff=True))

    assert client.get(page_of(run, page)).status_code == 403
