"""Many at once: threads that buy the same units, press twice, and post the same events."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event
from time import monotonic
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings

from cart import services as cart_services
from cart.models import Cart
from orders.models import Order, Status
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt
from payments.services import attempts, inbox
from payments.tests import support
from shop import services as stock
from shop.models import StockMovement, Variant
from shop.services import InsufficientStock
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db(transaction=True)


def all_at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run the calls in a thread each, started together; return what they returned or raised."""
    gate = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            gate.wait()
            return call()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def buy(cart: Cart, name: str) -> PaymentAttempt:
    return support.checkout(cart, buyer=support.a_buyer(email=f"{name}@example.com"))


def test_twenty_buyers_race_for_five_units(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=5)
    carts = [support.cart_with(variant) for _ in range(20)]

    outcomes = all_at_once([partial(buy, cart, f"b{n}") for n, cart in enumerate(carts)])

    assert Counter(type(outcome) for outcome in outcomes) == {
        PaymentAttempt: 5,
        InsufficientStock: 15,
    }
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (5, 5)
    assert Order.objects.count() == 5
    assert StockMovement.objects.filter(kind="reserved").count() == 5


def test_carts_with_the_same_variants_in_opposite_order_do_not_deadlock(sandbox: Any) -> None:
    one, other = VariantFactory(on_hand=20), VariantFactory(on_hand=20)
    carts = [
        support.cart_with(*((one, other) if number % 2 else (other, one))) for number in range(10)
    ]

    outcomes = all_at_once([partial(buy, cart, f"b{n}") for n, cart in enumerate(carts)])

    assert Counter(type(outcome) for outcome in outcomes) == {PaymentAttempt: 10}
    assert set(Variant.objects.values_list("reserved", flat=True)) == {10}


def test_giving_back_and_taking_other_variants_locks_all_of_them_in_order(sandbox: Any) -> None:
    first, second = VariantFactory(), VariantFactory()
    cart = support.cart_with(second)
    support.checkout(cart)
    cart_services.add(cart=cart, variant=first, quantity=1, at=support.stripe_now())
    has_first = Event()

    def other_buyer() -> None:
        with transaction.atomic():
            stock.lock([first.pk])
            has_first.set()
            wait_until_somebody_waits()
            stock.lock([second.pk])

    def place_anew() -> None:
        has_first.wait()
        support.checkout(cart)

    outcomes = all_at_once([other_buyer, place_anew])

    assert outcomes == [None, None]
    assert set(Variant.objects.values_list("reserved", flat=True)) == {1}


def wait_until_somebody_waits() -> None:
    """Return when another connection waits for a lock of this one."""
    give_up_at = monotonic() + 10
    is_waiting = 0
    while not is_waiting:
        assert monotonic() < give_up_at
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks"
                " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            (is_waiting,) = cursor.fetchone()


def test_a_button_pressed_four_times_at_once_makes_one_order_and_one_session(sandbox: Any) -> None:
    cart = support.cart_with(VariantFactory())

    outcomes = all_at_once([partial(support.checkout, cart)] * 4)

    assert {outcome.session_id for outcome in outcomes} == {PaymentAttempt.objects.get().session_id}
    assert Order.objects.count() == 1
    assert len(support.stripe_get("checkout/sessions")["data"]) == 1


@override_settings(PENDING_LIMIT_PER_BUYER=2)
def test_the_cap_on_unpaid_orders_holds_against_orders_placed_at_once(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=20)
    carts = [support.cart_with(variant) for _ in range(6)]

    all_at_once([partial(buy, cart, "same") for cart in carts])

    assert Order.objects.count() == 2


def test_two_hundred_events_delivered_four_times_by_eight_threads_have_one_effect_each(
    sandbox: Any, settings: Any
) -> None:
    settings.PENDING_LIMIT_PER_BUYER = settings.PENDING_LIMIT_PER_ADDRESS = 1_000
    variant = VariantFactory(on_hand=100)
    bought = [support.checkout(support.cart_with(variant)) for _ in range(40)]
    for number, attempt in enumerate(bought):
        if number % 4 == 0:
            sandbox.pay(attempt.url, card="4000000000000002")
        sandbox.pay(attempt.url)
    sandbox.post("clock", advance=10)
    events = support.all_events()
    assert len(events) >= 200
    deliveries = events * 4
    random.Random(7).shuffle(deliveries)
    support.endpoint_row()

    answers = all_at_once([partial(deliver_each, deliveries[thread::8]) for thread in range(8)])
    rows = list(InboxEvent.objects.values_list("pk", flat=True))
    random.Random(8).shuffle(rows)
    # Every event twice, by two workers that wrongly take it for their own.
    failures = all_at_once([partial(process_each, (rows + rows)[w::8]) for w in range(8)])

    assert [answer for thread in answers for answer in thread] == [200] * len(deliveries)
    assert failures == [None] * 8
    assert InboxEvent.objects.count() == len(events)
    assert set(InboxEvent.objects.values_list("state", flat=True)) == {"done", "ignored"}
    assert Order.objects.filter(status=Status.PAID).count() == 40
    assert Counter(LedgerEntry.objects.values_list("kind", flat=True)) == {
        "capture": 40,
        "fee": 40,
    }
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (60, 0)
    for order in Order.objects.prefetch_related("events"):
        reasons = [event.reason for event in order.events.all()]
        assert reasons.count("capture") == 1
        assert reasons.count("failed_card") == sum(
            attempt.order_id == order.pk for attempt in bought[::4]
        )


def deliver_each(deliveries: list[dict[str, Any]]) -> list[int]:
    return [support.deliver(event) for event in deliveries]


def process_each(rows: list[int]) -> None:
    for pk in rows:
        inbox.process(inbox_id=pk, at=support.stripe_now())


def test_a_payment_and_the_end_of_the_hold_at_once_leave_one_truth(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    at = support.stripe_now()

    all_at_once(
        [
            partial(attempts.reconcile, attempt=attempt, at=at),
            partial(
                attempts.close_at_stripe, attempt=attempt, closed_as=attempt.ClosedAs.EXPIRED, at=at
            ),
            partial(attempts.reconcile, attempt=attempt, at=at),
        ]
    )

    order = support.reread(attempt.order)
    assert (order.status, order.ledger.filter(kind="capture").count()) == (Status.PAID, 1)
    assert order.events.filter(from_status="pending").count() == 1
