"""The admin's front page: the day's work, and what the days came to."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import one_of
from backoffice import figures, tasks
from backoffice.models import DayFigures, TopProduct
from cart.models import Cart
from orders.models import Order, Review
from orders.tests.factories import PendingOrderFactory
from payments.models import LedgerEntry, RefundRequest
from payments.tests import support
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def paid(at: datetime, total_minor: int, **more: Any) -> Order:
    """Return a paid order of so much, and its capture at the same time."""
    order = PendingOrderFactory(at=at, **more)
    Order.objects.filter(pk=order.pk).update(
        status="paid", subtotal_minor=total_minor, shipping_minor=0, total_minor=total_minor
    )
    entry(order, at, "capture", total_minor)
    return order


def entry(order: Order, at: datetime, kind: str, amount_minor: int, currency: str = "EUR") -> None:
    LedgerEntry.objects.create(
        order=order,
        kind=kind,
        amount_minor=amount_minor,
        currency=currency,
        stripe_id=f"{kind}_{LedgerEntry.objects.count()}",
        occurred_at=at,
        booked_at=at,
    )


def figures_of(first: date, last: date) -> figures.Figures:
    return figures.between(figures.count(first, last, at=NOON), first, last)


def test_a_day_is_what_was_placed_paid_received_and_given_back_on_it() -> None:
    day, night = NOON.date(), NOON.replace(hour=23, minute=59)
    first = paid(NOON, 30_00)
    paid(night, 20_00)
    PendingOrderFactory(at=NOON)
    by_phone = paid(NOON, 10_00)
    Cart.objects.filter(orders=by_phone).update(created_at=NOON - timedelta(days=5))
    Order.objects.filter(pk=by_phone.pk).update(cart=None)
    Cart.objects.create(created_at=NOON)
    entry(first, night, "refund", -7_50)
    entry(first, night, "fee", -1_00)
    entry(first, NOON, "capture", 99, currency="JPY")
    paid(NOON + timedelta(days=1), 5_00)

    found = figures_of(day, day)

    assert found == figures.Figures(
        carts=4,
        cart_orders=3,
        cart_paid=2,
        orders=4,
        paid=3,
        paid_minor=60_00,
        captured_minor=60_00,
        refunded_minor=7_50,
    )
    assert (found.revenue_minor, found.average_minor) == (52_50, 20_00)


def test_orders_of_one_cart_that_replaced_each_other_are_one() -> None:
    cart = Cart.objects.create(created_at=NOON)
    for _ in range(2):
        Order.objects.update(status="canceled")
        PendingOrderFactory(cart=cart, at=NOON)

    found = figures_of(NOON.date(), NOON.date())

    assert (Order.objects.count(), found.orders, found.carts) == (2, 1, 1)


def test_days_that_are_over_are_counted_once_and_the_last_ones_again() -> None:
    at = NOON
    assert figures.refresh(at=at) == figures.KEPT_DAYS
    before = DayFigures.objects.get(day=at.date() - timedelta(days=30))
    paid(at - timedelta(days=3), 10_00)

    counted = figures.refresh(at=at + timedelta(minutes=10))

    assert counted == 8
    recent = DayFigures.objects.get(day=at.date() - timedelta(days=3))
    assert (recent.paid, recent.captured_minor) == (1, 10_00)
    unchanged = DayFigures.objects.get(pk=before.pk)
    assert unchanged.counted_at == before.counted_at == at
    figures.refresh(at=at + timedelta(days=1))
    assert DayFigures.objects.count() == figures.KEPT_DAYS


def test_figures_in_another_currency_are_counted_anew(settings: Any) -> None:
    paid(NOON - timedelta(days=20), 10_00)
    figures.refresh(at=NOON)
    settings.SHOP_CURRENCY = "USD"

    counted = figures.refresh(at=NOON)

    row = DayFigures.objects.get(day=NOON.date() - timedelta(days=20))
    assert (counted, row.currency, row.paid) == (figures.KEPT_DAYS, "USD", 0)


def test_what_sold_best_is_kept_by_range() -> None:
    emma, persuasion = VariantFactory(on_hand=9), VariantFactory(on_hand=9)
    paid(NOON - timedelta(days=20), 10_00, quantities={emma: 5})
    paid(NOON - timedelta(days=2), 10_00, quantities={persuasion: 2, emma: 1})
    PendingOrderFactory(at=NOON, quantities={emma: 3})

    for _ in range(2):
        figures.refresh_top_products(at=NOON)

    rows = TopProduct.objects.values_list("days", "rank", "product", "units")
    assert list(rows) == [
        (7, 1, persuasion.product_id, 2),
        (7, 2, emma.product_id, 1),
        (30, 1, emma.product_id, 6),
        (30, 2, persuasion.product_id, 2),
        (90, 1, emma.product_id, 6),
        (90, 2, persuasion.product_id, 2),
    ]


def shown(staff: Client, **asked: str) -> Any:
    return staff.get(reverse("admin:index"), asked)


def tile(page: Any, title: str) -> Any:
    return next(tile for tile in page.context["tiles"] if tile.title == title)


def test_the_front_page_compares_the_chosen_days_with_those_before(staff: Client) -> None:
    at = timezone.now()
    paid(at, 30_00)
    paid(at - timedelta(days=8), 20_00)
    figures.refresh(at=at)

    page = shown(staff, days="7")

    revenue, orders = tile(page, "Revenue"), tile(page, "Orders")
    assert (revenue.value, revenue.before, revenue.change) == ("€30.00", "€20.00", "+50%")
    assert (orders.value, orders.before, orders.note) == ("1", "1", "1 of them paid")
    assert tile(page, "Conversion").value == "100.0%"
    assert tile(shown(staff, days="30"), "Revenue").value == "€50.00"
    assert tile(shown(staff, days="1"), "Revenue").before == "€0.00"
    assert shown(staff, days="<1>").context["range_name"] == "7 days"


def test_every_tile_and_task_leads_to_a_list_that_answers(staff: Client) -> None:
    at = timezone.now()
    order = paid(at, 30_00)
    Review.objects.create(order=paid(at, 1_00), reason="late", cause="ch_1", opened_at=at)
    support.dispute_row(PendingOrderFactory(), "du_1", due_at=at + timedelta(days=3))
    RefundRequest.objects.create(
        key="00000000-0000-0000-0000-000000000001",
        order=order,
        charge_id="ch_1",
        amount_minor=1,
        currency="EUR",
        why="other",
        asked_by_id=1,
        asked_at=at,
    )

    page = shown(staff)

    told = {task.words: task.count for task in page.context["tasks"]}
    assert told["Orders to hand over"] == 1
    assert (
        told["Reviews to answer"] == told["Disputes to answer"] == told["Refunds to approve"] == 1
    )
    assert "answer by" in page.text
    for there in [*page.context["tiles"], *page.context["tasks"]]:
        assert there.address in page.text.replace("&amp;", "&")
        assert staff.get(there.address).status_code == 200, there


def test_the_warehouse_sees_its_work_and_no_money(client: Client) -> None:
    client.force_login(one_of("Warehouse"))
    paid(timezone.now(), 30_00)

    page = shown(client)

    assert [task.words for task in page.context["tasks"]] == ["Orders to hand over"]
    assert "tiles" not in page.context
    assert "€" not in page.text


def test_test_mode_is_unmistakable_on_every_page_and_live_mode_says_nothing(
    staff: Client, settings: Any
) -> None:
    pages = [reverse("admin:index"), reverse("admin:orders_order_changelist")]

    assert all("Test mode: no real money" in staff.get(page).text for page in pages)
    settings.STRIPE_LIVE_MODE = True
    assert all("Test mode" not in staff.get(page).text for page in pages)


def test_the_front_page_costs_the_same_however_much_was_sold(staff: Client) -> None:
    at = timezone.now()
    figures.refresh(at=at)
    shown(staff)
    with CaptureQueriesContext(connection) as few:
        shown(staff)
    for number in range(10):
        paid(at - timedelta(days=number), 10_00)
    figures.refresh(at=at)

    with CaptureQueriesContext(connection) as many:
        shown(staff)

    assert len(many) == len(few) <= 30


def test_without_a_worker_the_front_page_says_so(staff: Client) -> None:
    assert "No worker is running" in shown(staff).text


def test_the_jobs_count(staff: Client) -> None:
    tasks.refresh_figures.func(0)
    tasks.refresh_top_products.func(0)

    assert DayFigures.objects.count() == figures.KEPT_DAYS
    assert "still being counted" not in shown(staff).text
