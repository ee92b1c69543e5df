"""Stock is counted on a sheet: it goes out as CSV, comes back, and each row counts once."""

import csv
import re
from io import StringIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from shop import count_sheets, services
from shop.clock import now
from shop.csv_cells import as_text, from_text
from shop.models import StockMovement, Variant
from shop.tests.clerks import clerk_who_may
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

DOWNLOAD = "/admin/shop/variant/count-sheet.csv"
UPLOAD = "/admin/shop/variant/count/"


def sheet(staff: Client, query: str = "") -> list[dict[str, str]]:
    answer: Any = staff.get(DOWNLOAD + query)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(answer.getvalue().decode("utf-8-sig"))))


def counted(rows: list[dict[str, str]], *counts: object, sign: str = ",") -> bytes:
    """Return the file with these counts written into its rows, from the first one on."""
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=sign)
    writer.writeheader()
    for row, count in zip(rows, [*counts, *[""] * len(rows)], strict=False):
        writer.writerow(row | {"counted": count})
    return text.getvalue().encode()


def upload(staff: Client, content: bytes) -> Any:
    return staff.post(UPLOAD, {"file": SimpleUploadedFile("count.csv", content)})


def confirm(staff: Client, shown: Any) -> Any:
    page = shown.content.decode()
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    return staff.post(UPLOAD, dict(hidden) | {"confirmed": "1"})


def units() -> dict[str, int]:
    return dict(Variant.objects.values_list("sku", "on_hand"))


def adjustments() -> list[tuple[Any, ...]]:
    rows = StockMovement.objects.filter(kind="adjusted").order_by("pk")
    return list(rows.values_list("variant__sku", "on_hand_delta", "reference", "moved_by_id"))


def test_a_sheet_has_what_the_list_shows(staff: Client) -> None:
    emma = VariantFactory(sku="EMMA-H", title="Hardcover", product__title="Emma", on_hand=8)
    VariantFactory(sku="WALDEN", on_hand=50)
    services.reserve(quantities={emma.pk: 3}, reference="R1", at=now())

    all_of_it, low = sheet(staff), sheet(staff, "?stock=low")

    assert [row["SKU"] for row in all_of_it] == ["EMMA-H", "WALDEN"]
    (row,) = low
    assert row.pop("sheet") != all_of_it[0]["sheet"]
    assert row == {
        "SKU": "EMMA-H",
        "title": "Emma, Hardcover",
        "on hand": "8",
        "reserved": "3",
        "counted": "",
    }
    link = staff.get("/admin/shop/variant/?stock=low").content.decode()
    assert f'href="{DOWNLOAD}?stock=low"' in link


def test_what_differs_is_shown_then_booked(staff: Client, boss: Any) -> None:
    for sku in ("A", "B", "C", "D"):
        VariantFactory(sku=sku, on_hand=10)

    shown = upload(staff, counted(sheet(staff), 8, 10, 13))
    assert (shown.status_code, adjustments()) == (200, [])
    assert [row[0] for row in shown.context["form"].rows()] == ["A", "C"]
    assert shown.context["form"].rows()[0][2:] == [10, 8, "-2", 8]
    answer = confirm(staff, shown)

    assert answer.status_code == 302
    assert units() == {"A": 8, "B": 10, "C": 13, "D": 10}
    reason = f"count {now():%Y-%m-%d}"
    assert adjustments() == [("A", -2, reason, boss.pk), ("C", 3, reason, boss.pk)]


def test_what_was_sold_and_received_since_the_sheet_was_made_is_kept(staff: Client) -> None:
    emma = VariantFactory(sku="EMMA", on_hand=10)
    rows = sheet(staff)
    services.reserve(quantities={emma.pk: 4}, reference="R1", at=now())
    services.sell(quantities={emma.pk: 4}, reference="R1", at=now())
    services.receive(variant_id=emma.pk, quantity=1, reference="x", at=now())

    confirm(staff, upload(staff, counted(rows, 9)))

    assert units() == {"EMMA": 6}


def test_a_row_of_a_sheet_counts_once_however_often_it_comes(staff: Client) -> None:
    for sku in ("A", "B"):
        VariantFactory(sku=sku, on_hand=10)
    rows = sheet(staff)
    first = upload(staff, counted(rows, 8))

    twice = [confirm(staff, first) for _ in range(2)]
    again = upload(staff, counted(rows, 8))
    rest = upload(staff, counted(rows, 7, 11))
    confirm(staff, rest)

    assert [answer.status_code for answer in twice] == [302, 422]
    assert again.context["form"].errors["file"] == [
        "All of this was entered before. There is nothing to enter."
    ]
    assert "Entered before, and left out: 1." in rest.content.decode()
    assert units() == {"A": 8, "B": 11}
    assert len(adjustments()) == 2


def test_what_spreadsheets_make_of_a_file_is_read(staff: Client) -> None:
    VariantFactory(sku="=1+1", title="Éd. brochée", on_hand=10)
    VariantFactory(sku="'B", on_hand=10)
    rows = sheet(staff)
    assert sorted(row["SKU"] for row in rows) == ["'=1+1", "'B"]

    text = counted(rows, 9, 9, sign=";").decode()
    windows = text.encode("cp1252")
    with_mark = b"\xef\xbb\xbf" + text.replace(";", "\t").encode()

    for content in (windows, with_mark):
        assert len(upload(staff, content).context["form"].rows()) == 2


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"SKU": "NOWHERE"}, "Line 2: there is no SKU 'NOWHERE'."),
        ({"counted": "few"}, "Line 2: 'few' as 'counted' is no number of units."),
        ({"counted": "-1"}, "Line 2: '-1' as 'counted' is no number of units."),
        ({"counted": "1.5"}, "Line 2: '1.5' as 'counted' is no number of units."),
        ({"counted": "1000000"}, "Line 2: '1000000' as 'counted' is no number of units."),
        ({"on hand": ""}, "Line 2: '' as 'on hand' is no number of units."),
        ({"counted": "2"}, "EMMA: 2 would be left, and pending orders hold 3."),
        ({"sheet": ""}, "Enter one sheet at a time, with its column 'sheet' as it was downloaded."),
        ({"counted": ""}, "Nothing was counted: the column 'counted' is empty."),
        ({"counted": "10"}, "Every count is right. There is nothing to enter."),
    ],
)
def test_a_row_that_makes_no_sense_is_named_and_nothing_is_booked(
    staff: Client, change: dict[str, str], problem: str
) -> None:
    emma = VariantFactory(sku="EMMA", on_hand=10)
    services.reserve(quantities={emma.pk: 3}, reference="R1", at=now())
    rows = sheet(staff)
    asked = {"counted": "9"} | change

    answer = upload(staff, counted([rows[0] | asked], asked["counted"]))

    assert answer.status_code == 422
    assert answer.context["form"].errors["file"] == [problem]
    assert (units(), adjustments()) == ({"EMMA": 10}, [])


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01", b"SKU\r\n", b"a,b\r\n1,2\r\n", b'SKU,"on hand\r\n']
)
def test_a_file_that_is_no_sheet_is_refused(staff: Client, content: bytes) -> None:
    assert upload(staff, content).status_code == 422


def test_a_sku_twice_and_too_many_differences_are_refused(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sku in ("A", "B"):
        VariantFactory(sku=sku, on_hand=10)
    rows = sheet(staff)
    twice = upload(staff, counted([rows[0], rows[0]], 1, 1))
    monkeypatch.setattr(count_sheets, "MOST_DIFFERENCES", 1)

    many = upload(staff, counted(rows, 1, 1))

    assert twice.context["form"].errors["file"] == ["A SKU stands there more than once."]
    assert many.context["form"].errors["file"] == [
        "More than 1 counts differ: enter them in parts."
    ]


def test_units_that_are_reserved_before_it_is_confirmed_refuse_all_of_it(staff: Client) -> None:
    emma = VariantFactory(sku="EMMA", on_hand=10)
    VariantFactory(sku="WALDEN", on_hand=10)
    shown = upload(staff, counted(sheet(staff), 2, 9))
    services.reserve(quantities={emma.pk: 5}, reference="R1", at=now())

    answer = confirm(staff, shown)

    assert (answer.status_code, adjustments()) == (422, [])
    assert "EMMA: 2 would be left, and pending orders hold 5." in answer.content.decode()


@pytest.mark.parametrize("may", ["view_variant", "view_.*|change_.*"])
def test_whoever_sees_variants_downloads_and_only_who_moves_stock_enters(may: str) -> None:
    clerk = clerk_who_may(may)
    VariantFactory(on_hand=10)

    content = counted(sheet(clerk), 1)

    assert [clerk.get(UPLOAD).status_code, upload(clerk, content).status_code] == [403, 403]
    assert adjustments() == []


def test_a_sheet_is_for_who_may_see_variants() -> None:
    assert clerk_who_may("view_order").get(DOWNLOAD).status_code == 403


def test_a_long_sheet_is_sent_in_pieces(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shop.csv_files.ROWS_AT_ONCE", 2)
    for _ in range(5):
        VariantFactory(on_hand=0)

    answer: Any = staff.get(DOWNLOAD)

    assert len(list(answer.streaming_content)) == 3


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "'x", "plain", ""])
def test_a_cell_comes_back_as_it_went_out(cell: str) -> None:
    assert from_text(as_text(cell)) == cell
    assert not as_text(cell).startswith(("=", "+", "-", "@"))
