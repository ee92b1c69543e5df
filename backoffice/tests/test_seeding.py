"""Invented orders: as true as real ones, as many as asked for, and nobody is told of them."""

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F, Sum
from django.test import Client
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import User
from backoffice import seeding
from backoffice.seeding import rows, runs
from cart.models import Cart
from orders.models import Order, OrderMail, Review
from payments.models import Dispute, InboxEvent, LedgerEntry
from payments.tests.audits import audit
from shop import sample_books
from shop.clock import now
from shop.models import Product, StockMovement, Variant
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db
# Those that wait for somebody, and all others.
_PENDING, _PAID = 21, 40
_OPEN = 63


@pytest.fixture
def shelves() -> list[Variant]:
    return [VariantFactory(price_minor=500 + 100 * number, on_hand=3) for number in range(30)]


@pytest.fixture
def one_book(settings: LazySettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    book = sample_books.BOOKS.read_text().split("[[book]]")[1]
    (tmp_path / "books.toml").write_text(f"[[book]]{book}")
    monkeypatch.setattr(sample_books, "BOOKS", tmp_path / "books.toml")


def invent(wanted: int) -> str:
    told: list[str] = []
    seeding.invent_orders(wanted=wanted, at=now(), tell=told.append)
    return "\n".join(told)


def everything() -> dict[str, list[Any]]:
    """Return all rows of the tables that orders are invented in."""
    with connection.cursor() as cursor:
        found = {}
        for table in rows.TABLES:
            cursor.execute(f"SELECT to_jsonb(t) FROM {table} t ORDER BY id")
            found[table] = cursor.fetchall()
    return found


def free_units() -> dict[int, int]:
    free = Variant.objects.annotate(units=F("on_hand") - F("reserved"))
    return dict(free.values_list("pk", "units"))


def statuses() -> Counter[str]:
    return Counter(Order.objects.values_list("status", flat=True))


@pytest.mark.usefixtures("shelves")
def test_as_many_as_asked_for_and_none_breaks_a_rule() -> None:
    free = free_units()

    told = invent(400)

    assert told.splitlines() == [
        "Seeding orders: 400 of 400 (100%), 0:00:00 left",
        "Counting anew what the tables hold ...",
        "400 orders added, 0 were there already.",
    ]
    found = statuses()
    assert (found.total(), found["pending"], found["paid"]) == (400, _PENDING, _PAID)
    assert found["fulfilled"] > found["canceled"] > found["refunded"] > 0
    assert audit()[0] == 0
    assert free_units() == free
    assert Variant.objects.aggregate(units=Sum("reserved"))["units"] >= _PENDING


@pytest.mark.usefixtures("shelves")
def test_what_waits_for_somebody_is_there_once_of_each_kind() -> None:
    invent(_OPEN)

    reviews = Review.objects.open().order_by("reason").values_list("reason", "order__status")
    assert list(reviews) == [("mismatch", "pending"), ("refund", "fulfilled")]
    assert Dispute.objects.open().count() == 1
    assert InboxEvent.objects.values_list("state", flat=True).get() == "failed"
    assert Order.objects.filter(status="paid", fulfillments__isnull=False).count() in range(1, 9)
    assert Order.objects.filter(placed_by="staff", status="pending").count() == 8
    assert audit()[0] == 0


@pytest.mark.usefixtures("shelves")
def test_nothing_is_queued_mailed_or_left_to_be_sent() -> None:
    invent(200)

    assert not ProcrastinateJob.objects.exists()
    assert mail.outbox == []
    assert (
        OrderMail.objects.filter(kind="confirmation").count() == 200 - statuses()["canceled"] - 21
    )
    assert not OrderMail.objects.filter(sent_at=None).exists()
    emails = Order.objects.values_list("email", flat=True)
    assert {email.partition("@")[2] for email in emails} == {"example.com"}


@pytest.mark.usefixtures("shelves")
def test_a_second_run_changes_nothing() -> None:
    invent(100)
    before = everything()

    told = invent(100)

    assert everything() == before
    assert told == "0 orders added, 100 were there already."


@pytest.mark.usefixtures("shelves")
def test_a_larger_number_adds_the_difference_and_no_more_to_do() -> None:
    invent(100)
    before = everything()

    told = invent(250)

    after = everything()
    for table in set(rows.TABLES) - {"shop_variant"}:
        assert after[table][: len(before[table])] == before[table], table
    assert told.endswith("150 orders added, 100 were there already.")
    assert (statuses().total(), statuses()["pending"], statuses()["paid"]) == (250, _PENDING, _PAID)
    assert audit()[0] == 0


@pytest.mark.usefixtures("shelves")
def test_broken_off_it_leaves_whole_batches_and_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "_BATCH", 50)

    def break_off(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if "INSERT INTO orders_ordermail" in sql and Order.objects.count() == 150:
            raise KeyboardInterrupt
        return execute(sql, *rest)

    with connection.execute_wrapper(break_off), pytest.raises(KeyboardInterrupt):
        invent(180)

    assert Order.objects.count() == 100
    assert audit()[0] == 0
    told = invent(180)
    assert [line.partition(" (")[0] for line in told.splitlines()[:2]] == [
        "Seeding orders: 150 of 180",
        "Seeding orders: 180 of 180",
    ]
    assert Order.objects.count() == 180
    assert audit()[0] == 0


@pytest.mark.usefixtures("shelves")
def test_buyers_come_back_and_some_carts_are_left_behind() -> None:
    invent(400)

    assert 0 < User.objects.count() < 101
    per_user = Counter(Order.objects.exclude(user=None).values_list("user", flat=True))
    assert max(per_user.values()) > 3
    assert Cart.objects.filter(user__isnull=False).count() == User.objects.count()
    left = Cart.objects.filter(lines__isnull=False)
    assert left.count() >= 2 * Order.objects.filter(placed_at__gte=now() - runs.LATELY).count() - 2
    assert not User.objects.filter(is_staff=True).exists()


@pytest.mark.usefixtures("shelves")
@pytest.mark.parametrize("currency", ["JPY", "ISK"])
def test_amounts_are_right_in_any_currency(settings: LazySettings, currency: str) -> None:
    settings.SHOP_CURRENCY = currency
    Variant.objects.update(currency=currency)

    invent(100)

    assert set(LedgerEntry.objects.values_list("currency", flat=True)) == {currency}
    assert audit()[0] == 0


@pytest.mark.usefixtures("shelves")
def test_the_pages_of_all_kinds_of_them_can_be_read(staff: Client) -> None:
    invent(200)
    newest = {order.status: order for order in Order.objects.order_by("placed_at")}
    odd = Order.objects.filter(reviews__isnull=False) | Order.objects.filter(disputes__isnull=False)

    pages = [
        staff.get(reverse("admin:orders_order_change", args=[order.pk]))
        for order in [*newest.values(), *odd]
    ]
    listed = staff.get(reverse("admin:orders_order_changelist"))

    assert [page.status_code for page in pages] == [200] * 8
    assert listed.status_code == 200


@pytest.mark.usefixtures("shelves")
@pytest.mark.parametrize("is_live", [True, False])
def test_no_order_is_invented_but_where_the_sandbox_is(
    settings: LazySettings, is_live: bool
) -> None:
    if is_live:
        settings.STRIPE_LIVE_MODE = True
    else:
        del settings.STRIPE_API_HOST
    before = everything()

    with pytest.raises(CommandError, match="real money" if is_live else "STRIPE_API_HOST"):
        call_command("seed", orders=10)

    assert everything() == before
    assert Product.objects.count() == 30


def test_nothing_is_ordered_where_nothing_is_on_sale() -> None:
    VariantFactory(is_active=False)

    with pytest.raises(seeding.NotHere, match="Nothing is on sale"):
        invent(10)

    assert not Order.objects.exists()


@pytest.mark.usefixtures("one_book")
def test_the_command_fills_the_shelves_first() -> None:
    printed = io.StringIO()

    call_command("seed", products=3, orders=70, stdout=printed)

    assert printed.getvalue().splitlines() == [
        "Seeding books: 1 of 3",
        "Seeding books: 3 of 3",
        "3 books added, 0 were there already.",
        "Seeding orders: 70 of 70 (100%), 0:00:00 left",
        "Counting anew what the tables hold ...",
        "70 orders added, 0 were there already.",
    ]
    assert (Product.objects.count(), Order.objects.count()) == (3, 70)
    assert StockMovement.objects.filter(kind="sold").exists()
    assert audit()[0] == 0


@pytest.mark.usefixtures("one_book")
def test_the_command_says_how_to_go_on_when_it_is_broken_off() -> None:
    class Impatient(io.StringIO):
        def write(self, text: str) -> int:
            if "Counting anew" in text:
                raise KeyboardInterrupt
            return len(text)

    with pytest.raises(CommandError, match="the same command goes on") as stopped:
        call_command("seed", orders=70, stdout=Impatient())

    assert stopped.value.returncode == 130
    assert Order.objects.count() == 70
