"""The books against Stripe's own balance, day by day; their page and the accountant's file."""

import csv
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import UserFactory, a_clerk
from orders.models import Order
from orders.tests.factories import PendingOrderFactory
from payments.models import InboxEvent, LedgerEntry
from payments.services import attempts
from payments.tests import money_back, support
from shop.clock import now
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

Kind = LedgerEntry.Kind
# One event each of what can happen to money; others tell the same again.
TELLING = {"charge.updated", "charge.dispute.created", "charge.dispute.closed", "refund.updated"}
DAYS = reverse("admin:payments_ledgerentry_days")
EXPORT = reverse("admin:payments_ledgerentry_export")


def _entry(order: Order, kind: Kind, amount_minor: int, at: datetime, **fields: Any) -> LedgerEntry:
    source = {"form_key": uuid4()} if kind == Kind.MANUAL else {"stripe_id": f"txn_{uuid4().hex}"}
    return LedgerEntry.objects.create(
        **{
            "order": order,
            "kind": kind,
            "amount_minor": amount_minor,
            "currency": "EUR",
            "occurred_at": at,
            "booked_at": at,
        }
        | source
        | fields
    )


def _on(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


# What the balance says


def test_each_days_net_is_the_sum_of_stripes_balance_transactions(
    sandbox: Any, settings: Any
) -> None:
    settings.PAYMENT_METHODS = ["card", "sepa_debit"]
    _wait_for_noon(sandbox)
    disputed = [_buy(sandbox, 80_00) for _ in range(2)]
    given_back, by_card, by_bank, by_bank_too = (
        _buy(sandbox, 50_00),
        _buy(sandbox, 60_00),
        _buy(sandbox, 70_00, method="bank_debit"),
        _buy(sandbox, 90_00, method="bank_debit"),
    )
    won, lost = (sandbox.dispute(money_back.intent_of(order)) for order in disputed)
    _refund(given_back, 10_00)
    on_shelf = _refund(by_card, 60_00)
    never_back, late_back = _refund(by_bank, 7_00), _refund(by_bank_too, 9_00)
    _entry(given_back, Kind.MANUAL, -5_00, now())
    _hear(sandbox)

    sandbox.post("clock", advance=86_400)
    sandbox.move_dispute(won["id"], "win")
    sandbox.move_dispute(lost["id"], "lose")
    sandbox.decide_refund(on_shelf, "failed")
    sandbox.decide_refund(never_back, "failed")
    sandbox.decide_refund(late_back, "succeeded")
    _refund(_buy(sandbox, 55_00), 55_00)
    _hear(sandbox)

    today = now().date()
    yesterday = today - timedelta(days=1)
    fees = {80_00: 1_45, 50_00: 1_00, 60_00: 1_15, 70_00: 1_30, 90_00: 1_60, 55_00: 1_08}
    captured = 2 * 80_00 + 50_00 + 60_00 + 70_00 + 90_00
    kept = 2 * fees[80_00] + fees[50_00] + fees[60_00] + fees[70_00] + fees[90_00] + 2 * 15_00
    gone = 10_00 + 60_00 + 7_00 + 9_00
    assert list(LedgerEntry.objects.sums_by_day()) == [
        {
            "day": today,
            "currency": "EUR",
            "captured": 55_00,
            "given_back": 60_00 + 7_00 - 55_00,
            "disputed": 80_00,
            "fees": -fees[55_00],
            "net": 60_00 + 7_00 + 80_00 - fees[55_00],
            "manual": 0,
        },
        {
            "day": yesterday,
            "currency": "EUR",
            "captured": captured,
            "given_back": -gone,
            "disputed": -2 * 80_00,
            "fees": -kept,
            "net": captured - gone - 2 * 80_00 - kept,
            "manual": -5_00,
        },
    ]
    ours = {row["day"]: row["net"] for row in LedgerEntry.objects.sums_by_day()}
    assert ours == _balance_by_day()


def test_a_payment_and_its_fee_are_of_the_day_on_which_stripe_moved_them(
    staff: Client, sandbox: Any, settings: Any
) -> None:
    settings.PAYMENT_METHODS = ["card", "sepa_debit"]
    _wait_for_noon(sandbox)
    attempt = support.checkout(support.cart_with(VariantFactory(price_minor=70_00)), at=now())
    sandbox.pay(attempt.url, method="bank_debit")
    attempts.reconcile(attempt=attempt, at=now())
    attempt.refresh_from_db()
    sandbox.post("clock", advance=86_400)
    sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="succeeded")
    attempts.reconcile(attempt=attempt, at=now())
    before = [(row["day"], row["net"]) for row in LedgerEntry.objects.sums_by_day()]
    sandbox.post("clock", advance=86_400)
    # A dispute has a fee of its own, which tells nothing of the payment.
    sandbox.dispute(attempt.intent_id)
    _hear(sandbox)
    charged_on = now().date() - timedelta(days=2)
    moved_on = charged_on + timedelta(days=1)
    disputed_on = charged_on + timedelta(days=2)
    after = {row["day"]: row["net"] for row in LedgerEntry.objects.sums_by_day()}
    assert before == [(charged_on, 70_00)]
    assert after == {moved_on: 70_00 - 1_30, disputed_on: -70_00 - 15_00} == _balance_by_day()
    for day, rows, lines in ((charged_on, 0, 0), (moved_on, 1, 2), (disputed_on, 1, 2)):
        page = staff.get(DAYS, {"first": f"{day}", "last": f"{day}"})
        assert len(page.context["days"]["rows"]) == rows
        assert len(_export(staff, f"{day}", f"{day}")[1:]) == lines


def _wait_for_noon(sandbox: Any) -> None:
    noon = datetime.combine(now().date() + timedelta(days=1), time(12), UTC)
    sandbox.post("clock", advance=int((noon - now()).total_seconds()))


def _buy(sandbox: Any, price_minor: int, method: str = "card") -> Order:
    """Return an order that is paid, its jobs done; shipping is free from 50.00 on."""
    cart = support.cart_with(VariantFactory(price_minor=price_minor))
    attempt = support.checkout(cart, at=now())
    sandbox.pay(attempt.url, method=method)
    attempts.reconcile(attempt=attempt, at=now())
    if method == "bank_debit":
        attempt.refresh_from_db()
        sandbox.post(f"bank_debits/{attempt.intent_id}", outcome="succeeded")
        attempts.reconcile(attempt=attempt, at=now())
    return support.reread(attempt.order)


def _refund(order: Order, amount_minor: int) -> str:
    refund = money_back.ask(order, amount_minor, at=now())
    support.run_jobs()
    refund.refresh_from_db()
    assert refund.stripe_id is not None
    return refund.stripe_id


def _hear(sandbox: Any) -> None:
    """Tell the shop what is new, ten seconds later: by then Stripe knows its fees."""
    sandbox.post("clock", advance=10)
    known = set(InboxEvent.objects.values_list("event_id", flat=True))
    for event in reversed(sandbox.events()):
        if event["type"] in TELLING and event["id"] not in known:
            support.deliver(event)
    support.run_jobs()


def _balance_by_day() -> dict[date, int]:
    """Return what Stripe says that each day left in the balance."""
    days: dict[date, int] = {}
    listed = support.stripe_get("balance_transactions?limit=100")
    assert not listed["has_more"]
    for moved in listed["data"]:
        day = datetime.fromtimestamp(moved["created"], UTC).date()
        days[day] = days.get(day, 0) + moved["amount"] - moved["fee"]
    return days


# The page of days


def test_days_are_summed_by_utc_day_and_currency_and_manual_entries_apart(staff: Client) -> None:
    order = PendingOrderFactory()
    midnight = _on(2, 0)
    _entry(order, Kind.CAPTURE, 10_00, midnight - timedelta(microseconds=1))
    _entry(order, Kind.CAPTURE, 20_00, midnight)
    _entry(order, Kind.FEE, -55, midnight)
    _entry(order, Kind.REFUND, -5_00, _on(2))
    _entry(order, Kind.REFUND_REVERSAL, 1_00, _on(2))
    _entry(order, Kind.DISPUTE, -2_00, _on(2))
    _entry(order, Kind.CAPTURE, 700, _on(2), currency="JPY")
    _entry(order, Kind.MANUAL, 3_00, _on(2))
    _entry(order, Kind.CAPTURE, 99_00, _on(4))

    page = staff.get(DAYS, {"first": "2026-03-01", "last": "2026-03-03"})

    second = ["EUR", "€20.00", "-€4.00", "-€2.00", "-€0.55", "€13.45", "€3.00"]
    yen = ["JPY", "¥700", "¥0", "¥0", "¥0", "¥700", "¥0"]
    first = ["EUR", "€10.00", "€0.00", "€0.00", "€0.00", "€10.00", "€0.00"]
    assert page.context["days"]["rows"] == [
        ["2026-03-02", *second],
        ["2026-03-02", *yen],
        ["2026-03-01", *first],
    ]
    assert page.context["totals"]["rows"] == [
        ["EUR", "€30.00", "-€4.00", "-€2.00", "-€0.55", "€23.45", "€3.00"],
        yen,
    ]
    assert f"{EXPORT}?first=2026-03-01&amp;last=2026-03-03" in page.content.decode()


def test_this_month_is_shown_unless_told_otherwise(staff: Client) -> None:
    order = PendingOrderFactory()
    start = datetime.combine(now().date().replace(day=1), time(), UTC)
    _entry(order, Kind.CAPTURE, 1_00, start)
    _entry(order, Kind.CAPTURE, 2_00, start - timedelta(seconds=1))

    assert [row[2] for row in staff.get(DAYS).context["days"]["rows"]] == ["€1.00"]


def test_a_page_has_31_days_the_latest_first_at_the_same_cost(
    staff: Client, django_assert_num_queries: Any
) -> None:
    order = PendingOrderFactory()
    for number in range(40):
        _entry(order, Kind.CAPTURE, 1_00, _on(1) + timedelta(days=number))
    asked = {"first": "2026-03-01", "last": "2026-04-09"}

    with django_assert_num_queries(4):
        page = staff.get(DAYS, asked)
    second = staff.get(DAYS, asked | {"p": "2"})

    first_days = [row[0] for row in page.context["days"]["rows"]]
    assert (first_days[0], first_days[-1], len(first_days)) == ("2026-04-09", "2026-03-10", 31)
    assert [row[0] for row in second.context["days"]["rows"]][0::8] == ["2026-03-09", "2026-03-01"]
    for answer in (page, second):
        assert answer.context["totals"]["rows"][0][1] == "€40.00"
    assert "Earlier days" in page.content.decode()
    assert "Later days" in second.content.decode()


@pytest.mark.parametrize("address", [DAYS, EXPORT])
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"first": "2026-03-02", "last": "2026-03-01"}, "The last day is before the first."),
        ({"first": "<b>", "last": "2026-03-01"}, "Enter a valid date."),
        ({"first": "0001-01-01", "last": "9999-12-31"}, "greater than or equal to 2000-01-01"),
    ],
)
def test_a_range_that_is_none_is_told(
    address: str, asked: dict[str, str], words: str, staff: Client
) -> None:
    page = staff.get(address, asked)

    assert page.status_code == 422
    assert words in page.content.decode()
    assert "<b>" not in page.content.decode()


@pytest.mark.parametrize("address", [DAYS, EXPORT])
def test_who_may_not_see_the_ledger_sees_neither_days_nor_file(
    address: str, client: Client
) -> None:
    client.force_login(UserFactory(is_staff=True))
    assert client.get(address).status_code == 403

    client.force_login(a_clerk("(view|export)_ledgerentry"))
    assert client.get(address).status_code == 200


def test_who_only_sees_the_ledger_is_offered_no_file(client: Client) -> None:
    client.force_login(a_clerk("view_ledgerentry"))

    page = client.get(DAYS)

    assert (page.status_code, client.get(EXPORT).status_code) == (200, 403)
    assert EXPORT not in page.text


# The accountant's file


def _export(staff: Client, first: str, last: str) -> list[list[str]]:
    answer = staff.get(EXPORT, {"first": first, "last": last})
    assert isinstance(answer, StreamingHttpResponse)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    name = f'attachment; filename="ledger-{first}-{last}.csv"'
    assert answer.headers["Content-Disposition"] == name
    return list(csv.reader(StringIO(answer.getvalue().decode("utf-8-sig"))))


def test_the_file_has_a_line_per_entry_in_the_order_in_which_money_moved(staff: Client) -> None:
    order = PendingOrderFactory()
    attempt = support.attempt_row(order, state="succeeded", session_id="cs_1", intent_id="pi_1")
    known = {"charge_id": "ch_1", "attempt": attempt}
    _entry(order, Kind.REFUND, -5, _on(3), stripe_id="re_1", **known)
    _entry(order, Kind.CAPTURE, 1234_50, _on(2, 0), stripe_id="ch_1", **known)
    _entry(order, Kind.MANUAL, 700, _on(3, 23), currency="JPY")
    _entry(order, Kind.FEE, -31, _on(3, 13), currency="THB", stripe_id="txn_1", charge_id="ch_1")
    _entry(order, Kind.CAPTURE, 1, _on(1, 23))
    _entry(order, Kind.CAPTURE, 1, _on(4, 0))

    heads, *lines = _export(staff, "2026-03-02", "2026-03-03")

    assert heads[:6] == ["day", "time_utc", "order", "kind", "amount", "amount_minor"]
    assert heads[6:] == ["currency", "stripe_id", "charge", "session", "intent"]
    number = order.number
    assert lines == [
        f"2026-03-03 12:00:00 {number} refund -0.05 -5 EUR re_1 ch_1 cs_1 pi_1".split(),
        # By its fee's moment.
        f"2026-03-03 13:00:00 {number} capture 1234.50 123450 EUR ch_1 ch_1 cs_1 pi_1".split(),
        ["2026-03-03", "13:00:00", number, "fee", "", "-31", "THB", "txn_1", "ch_1", "", ""],
        ["2026-03-03", "23:00:00", number, "manual", "700", "700", "JPY", "", "", "", ""],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_taken_for_a_formula(start: str, staff: Client) -> None:
    evil = f'{start}HYPERLINK("http://evil.example")'
    _entry(PendingOrderFactory(), Kind.CAPTURE, 1, _on(2), stripe_id=evil, charge_id=evil)

    _heads, line = _export(staff, "2026-03-02", "2026-03-02")

    assert line[7:9] == [f"'{evil}"] * 2


def test_the_file_is_read_from_the_database_piece_by_piece(
    staff: Client, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.csv_files.ROWS_AT_ONCE", 2)
    order = PendingOrderFactory()
    for number in range(5):
        _entry(order, Kind.CAPTURE, number + 1, _on(2, number))

    # Session, user and two for who took it; the entries are read only as they are sent.
    with django_assert_num_queries(4):
        answer = staff.get(EXPORT, {"first": "2026-03-02", "last": "2026-03-02"})
    assert isinstance(answer, StreamingHttpResponse)
    pieces = [piece.decode().count("\r\n") for piece in answer]

    assert pieces == [3, 2, 1]


def test_the_file_of_a_refunded_payment_names_its_session(staff: Client, sandbox: Any) -> None:
    order = money_back.paid_order(sandbox)
    money_back.refunded(order, 1_00)
    attempt = order.attempts.get()

    _heads, *lines = _export(staff, "2000-01-01", "2999-12-31")

    by_kind = {line[3]: line for line in lines}
    assert by_kind["refund"][9:] == [attempt.session_id, attempt.intent_id]


def test_the_list_of_entries_is_a_file_of_the_same_columns(staff: Client) -> None:
    order, other = PendingOrderFactory(), PendingOrderFactory()
    known = {"charge_id": "ch_1", "stripe_id": "ch_1", "attempt": None}
    _entry(order, Kind.CAPTURE, 12_00, _on(3), **known)
    _entry(order, Kind.FEE, -31, _on(4), stripe_id="txn_1", charge_id="ch_1")
    _entry(other, Kind.MANUAL, 700, _on(2), currency="JPY")
    page = reverse("admin:payments_ledgerentry_changelist")
    export = reverse("admin:payments_ledgerentry_export_entries")

    def listed(query: str) -> list[list[str]]:
        assert f'href="{export}{query}"' in staff.get(f"{page}{query}").text
        answer: Any = staff.get(f"{export}{query}")
        return list(csv.reader(StringIO(answer.getvalue().decode("utf-8-sig"))))

    heads, *rows = listed("")

    assert heads == _export(staff, "2026-03-02", "2026-03-02")[0]
    # As they were booked; a capture is of its fee's day.
    capture = f"2026-03-04 12:00:00 {order.number} capture 12.00 1200 EUR ch_1 ch_1".split()
    fee = f"2026-03-04 12:00:00 {order.number} fee -0.31 -31 EUR txn_1 ch_1".split()
    manual = f"2026-03-02 12:00:00 {other.number} manual 700 700 JPY".split()
    assert rows == [[*capture, "", ""], [*fee, "", ""], [*manual, "", "", "", ""]]
    assert listed("?kind__exact=fee") == [heads, [*fee, "", ""]]
    assert listed(f"?q={other.number}") == [heads, [*manual, "", "", "", ""]]


def test_an_entry_of_the_list_costs_no_query(staff: Client, django_assert_num_queries: Any) -> None:
    order = PendingOrderFactory()
    attempt = support.attempt_row(order, session_id="cs_1", intent_id="pi_1")
    for number in range(300):
        _entry(order, Kind.CAPTURE, number + 1, _on(2), attempt=attempt)
    answer: Any = staff.get(reverse("admin:payments_ledgerentry_export_entries"))

    with django_assert_num_queries(1):
        text = answer.getvalue().decode()

    assert text.count("\r\n") == 301
    assert text.count(",cs_1,pi_1\r\n") == 300
