"""Orders and their lines as files: what the list shows, to the letter, however long it is."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import DatabaseError, connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import a_clerk, one_of
from orders.models import Order, OrderLine, Review, Status
from orders.tests.factories import ADDRESS, PLACED_AT, PendingOrderFactory
from payments.models import LedgerEntry
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

ORDERS = reverse("admin:orders_order_changelist")
EXPORT = reverse("admin:orders_order_export_orders")
LINES = reverse("admin:orders_order_export_lines")
Kind = LedgerEntry.Kind


def rows_of(answer: Any) -> list[list[str]]:
    assert isinstance(answer, StreamingHttpResponse)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(StringIO(answer.getvalue().decode("utf-8-sig"))))


def numbers(answer: Any) -> list[str]:
    return [row[0] for row in rows_of(answer)[1:]]


def book(order: Order, kind: Kind, amount_minor: int, currency: str = "EUR") -> None:
    source = {"form_key": uuid4()} if kind == Kind.MANUAL else {"stripe_id": f"x_{uuid4().hex}"}
    LedgerEntry.objects.create(
        order=order,
        kind=kind,
        amount_minor=amount_minor,
        currency=currency,
        booked_at=PLACED_AT,
        **source,
    )


def changed(order: Order, **columns: Any) -> Order:
    Order.objects.filter(pk=order.pk).update(**columns)
    return Order.objects.get(pk=order.pk)


@pytest.fixture
def paid() -> Order:
    """A paid order of two books, of which some money went back and a bank keeps some."""
    emma = VariantFactory(sku="EMMA-H", title="Hardcover", product__title="Emma", price_minor=12_50)
    walden = VariantFactory(sku="WALDEN", title="E-book", product__title="Walden", price_minor=5_00)
    order = PendingOrderFactory(
        quantities={emma: 2, walden: 1},
        email="jos\N{LATIN SMALL LETTER E WITH ACUTE}@example.com",
        address=ADDRESS | {"name": "M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller, Jo"},
    )
    order = changed(
        order,
        subtotal_minor=30_00,
        discount_minor=1_00,
        shipping_minor=4_90,
        tax_minor=2_00,
        total_minor=35_90,
        tax_included_minor=1_96,
        billing_address=ADDRESS | {"line2": "c/o Books", "region": "BE", "country": "AT"},
        status=Status.PAID,
    )
    order.lines.filter(sku="EMMA-H").update(discount_minor=1_00, tax_minor=2_00)
    order.lines.filter(sku="WALDEN").update(tax_included_minor=33)
    book(order, Kind.CAPTURE, 35_90)
    book(order, Kind.MANUAL, 10)
    book(order, Kind.REFUND, -6_00)
    book(order, Kind.REFUND_REVERSAL, 1_00)
    book(order, Kind.DISPUTE, -3_00)
    book(order, Kind.FEE, -99)
    book(order, Kind.CAPTURE, 7_77, currency="USD")
    return order


def test_a_row_has_all_of_an_order(staff: Client, paid: Order) -> None:
    free = changed(
        PendingOrderFactory(at=PLACED_AT + timedelta(seconds=1.5)),
        currency="JPY",
        subtotal_minor=1200,
        shipping_minor=0,
        total_minor=1200,
        placed_by="staff",
    )
    Review.objects.create(order=free, reason="late", cause="c", opened_at=PLACED_AT)

    heads, first, second = rows_of(staff.get(EXPORT))

    assert dict(zip(heads, first, strict=True)) == {
        "order": paid.number,
        "placed (UTC)": "2026-01-05T11:00:00Z",
        "placed by": "Buyer",
        "e-mail": "jos\N{LATIN SMALL LETTER E WITH ACUTE}@example.com",
        "status": "paid",
        "money": "paid",
        "goods": "to hand over",
        "look": "the bank kept €3.00: put the goods back",
        "currency": "EUR",
        "subtotal": "30.00",
        "discount": "1.00",
        "shipping": "4.90",
        "tax": "2.00",
        "total": "35.90",
        "tax included": "1.96",
        "received": "36.00",
        "given back": "5.00",
        "kept by banks": "3.00",
        "shipping name": "M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller, Jo",
        "shipping line 1": "1 Long Lane",
        "shipping line 2": "",
        "shipping postal code": "10115",
        "shipping city": "Berlin",
        "shipping region": "",
        "shipping country": "DE",
        "billing name": "Ada Reader",
        "billing line 1": "1 Long Lane",
        "billing line 2": "c/o Books",
        "billing postal code": "10115",
        "billing city": "Berlin",
        "billing region": "BE",
        "billing country": "AT",
    }
    assert second[:9] == [
        free.number,
        "2026-01-05T11:00:01Z",
        "Staff",
        "reader@example.com",
        "awaiting payment",
        "unpaid",
        "none",
        "review",
        "JPY",
    ]
    assert second[9:18] == ["1200", "0", "0", "0", "1200", "0", "0", "0", "0"]
    assert second[-7:] == [""] * 7


def test_a_line_has_what_was_bought_and_nothing_of_the_buyer(staff: Client, paid: Order) -> None:
    heads, *lines = rows_of(staff.get(LINES))

    assert heads == [
        "order",
        "placed (UTC)",
        "status",
        "SKU",
        "title",
        "quantity",
        "currency",
        "unit price",
        "discount",
        "tax",
        "tax included",
        "sum",
    ]
    at = "2026-01-05T11:00:00Z"
    emma = ["EMMA-H", "Emma, Hardcover", "2", "EUR", "12.50", "1.00", "2.00", "0.00", "26.00"]
    walden = ["WALDEN", "Walden, E-book", "1", "EUR", "5.00", "0.00", "0.00", "0.33", "5.00"]
    assert lines == [[paid.number, at, "paid", *emma], [paid.number, at, "paid", *walden]]


def test_files_begin_as_excel_needs_it_and_are_named_by_what_and_when(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.exports.now", lambda: PLACED_AT)

    orders: Any = staff.get(EXPORT)
    lines: Any = staff.get(LINES)

    assert orders.getvalue().startswith(b"\xef\xbb\xbforder,placed (UTC),")
    named = [answer.headers["Content-Disposition"] for answer in (orders, lines)]
    assert named == [
        'attachment; filename="orders-2026-01-05-1100.csv"',
        'attachment; filename="order-lines-2026-01-05-1100.csv"',
    ]


@pytest.mark.parametrize("address", [EXPORT, LINES])
def test_a_file_has_what_the_list_shows_by_its_filters_and_its_search(
    staff: Client, address: str
) -> None:
    first, other = PendingOrderFactory(), PendingOrderFactory(email="ada@example.com")
    last = changed(PendingOrderFactory(email="ada@example.com"), status=Status.PAID)

    def exported(query: str) -> list[str]:
        page = staff.get(f"{ORDERS}{query}").text
        link = f"{address}{query}".replace("&", "&amp;")
        assert f'href="{link}"' in page
        return numbers(staff.get(f"{address}{query}"))

    assert exported("") == [first.number, other.number, last.number]
    assert exported("?q=ada%40example.com") == [other.number, last.number]
    assert exported("?q=ada%40example.com&status__exact=paid") == [last.number]
    assert exported("?goods=due") == [last.number]
    assert exported(f"?q={other.number}") == [other.number]
    assert exported("?status__exact=refunded") == []


def test_pages_and_order_of_the_list_are_not_the_files(staff: Client) -> None:
    orders = [PendingOrderFactory() for _ in range(3)]
    orders[0] = changed(orders[0], placed_at=PLACED_AT + timedelta(days=1))

    assert numbers(staff.get(EXPORT, {"o": "-1", "p": "1"})) == [order.number for order in orders]


def test_a_filter_that_is_none_leads_back_to_the_list_which_says_so(staff: Client) -> None:
    PendingOrderFactory()

    answer = staff.get(EXPORT, {"placed_at__gte": "yesterday"})

    assert (answer.status_code, answer.headers["Location"]) == (302, f"{ORDERS}?e=1")


@pytest.mark.parametrize(
    ("action", "columns"), [("export_selected", 32), ("export_lines_of_selected", 12)]
)
def test_ticked_orders_alone_are_exported(staff: Client, action: str, columns: int) -> None:
    first, _other, last = (PendingOrderFactory() for _ in range(3))

    sent = {"action": action, "_selected_action": [str(first.pk), str(last.pk)]}
    heads, *rows = rows_of(staff.post(ORDERS, sent))

    assert len(heads) == columns
    assert [row[0] for row in rows] == [first.number, last.number]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_taken_for_a_formula(start: str, staff: Client) -> None:
    evil = f'{start}HYPERLINK("http://evil.example")'
    order = PendingOrderFactory(address=dict.fromkeys(ADDRESS, evil))
    changed(order, email=evil, billing_address=dict.fromkeys(ADDRESS, evil))
    order.lines.update(title=evil, sku=evil)

    row, line = rows_of(staff.get(EXPORT))[1], rows_of(staff.get(LINES))[1]

    assert [row[3], *row[-14:], *line[3:5]] == [f"'{evil}"] * 17


# However many


def place_many(count: int) -> None:
    """Make orders of one line each, by rows alone."""
    model = PendingOrderFactory()
    line = model.lines.get()
    fields = {
        column.attname: getattr(model, column.attname) for column in Order._meta.concrete_fields
    }
    orders = Order.objects.bulk_create(
        Order(**fields | {"id": None, "cart_id": None, "number": f"N{model.pk}-{number}"})
        for number in range(count - 1)
    )
    OrderLine.objects.bulk_create(
        OrderLine(order=order, variant=line.variant, quantity=1, unit_price_minor=12_00)
        for order in orders
    )


@pytest.mark.parametrize(("address", "of_portion"), [(EXPORT, 1), (LINES, 2)])
def test_a_row_costs_no_query_and_a_portion_always_as_many(
    staff: Client, address: str, of_portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cost() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as queries:
            rows = len(rows_of(staff.get(address))) - 1
        return rows, len(queries)

    place_many(3)
    few = cost()
    place_many(297)
    many = cost()
    monkeypatch.setattr("shop.csv_files.ROWS_AT_ONCE", 100)
    in_portions = cost()

    assert (few, many) == ((3, few[1]), (300, few[1]))
    # After three full portions it asks whether there is more.
    assert in_portions == (300, few[1] + 2 * of_portion + 1)


def test_nothing_is_read_before_it_is_sent_and_no_portion_stays(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.csv_files.ROWS_AT_ONCE", 2)
    place_many(5)

    answer = staff.get(EXPORT)
    assert isinstance(answer, StreamingHttpResponse)
    pieces = iter(answer)
    first = next(pieces)
    with CaptureQueriesContext(connection) as queries:
        rest = list(pieces)

    assert [piece.count(b"\r\n") for piece in (first, *rest)] == [3, 2, 1]
    assert len(queries) == 2


def test_an_error_in_the_midst_is_raised_and_the_log_has_no_end(
    staff: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("shop.csv_files.ROWS_AT_ONCE", 2)
    place_many(5)
    answer = staff.get(EXPORT)
    assert isinstance(answer, StreamingHttpResponse)
    pieces = iter(answer)

    sent = next(pieces)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path = nowhere")
    with pytest.raises(DatabaseError):
        list(pieces)

    assert sent.count(b"\r\n") == 3
    assert "export begun" in caplog.text
    assert "export finished" not in caplog.text


# Who may, and who did


def test_who_exported_what_is_kept_but_not_what_was_searched(
    staff: Client, boss: User, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.exports.now", lambda: PLACED_AT)
    PendingOrderFactory(email="ada@example.com")

    rows_of(staff.get(EXPORT, {"q": "ada@example.com", "status__exact": "pending"}))
    rows_of(staff.get(LINES))

    history = staff.get(reverse("admin:accounts_user_history", args=[boss.pk])).text
    kept = list(LogEntry.objects.order_by("pk").values_list("user_id", "change_message"))
    assert kept == [
        (boss.pk, "Exported orders-2026-01-05-1100.csv (by status__exact, search)"),
        (boss.pk, "Exported order-lines-2026-01-05-1100.csv (all there are)"),
    ]
    assert all(words in history for _by, words in kept)
    told: list[Any] = [record.msg for record in caplog.records if record.name == "shop.exports"]
    assert [(line["event"], line["by"], line.get("rows")) for line in told] == [
        ("export begun", "status__exact, search", None),
        ("export finished", "status__exact, search", 1),
        ("export begun", "", None),
        ("export finished", "", 1),
    ]
    assert {line["user_id"] for line in told} == {boss.pk}
    assert "ada@example.com" not in caplog.text


@pytest.mark.parametrize("role", ["Support", "Warehouse"])
def test_whoever_may_not_export_is_neither_offered_it_nor_let(role: str, client: Client) -> None:
    client.force_login(one_of(role))
    order = PendingOrderFactory()

    page = client.get(ORDERS).text
    sent = {"action": "export_selected", "_selected_action": [str(order.pk)]}
    answers = [client.get(EXPORT), client.get(LINES), client.post(ORDERS, sent)]

    assert [answer.status_code for answer in answers] == [403, 403, 302]
    assert not any(words in page for words in (EXPORT, LINES, "export_selected", "export_lines"))
    assert LogEntry.objects.count() == 0


def test_the_right_to_export_alone_shows_no_orders(client: Client) -> None:
    client.force_login(a_clerk("export_order"))

    assert client.get(EXPORT).status_code == 403
