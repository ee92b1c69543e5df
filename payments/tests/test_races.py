"""Many at once: threads that buy the same units, press twice, and post the same events."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
import requests
from django.db import transaction
from django.test import override_settings

from cart import services as cart_services
from cart.models import Cart
from orders.models import Order, Reason, Status
from orders.tests.factories import PendingOrderFactory
from payments import gateway
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt, Refund
from payments.services import attempts, canceling, holds, inbox, settling
from payments.services.attempts import NotPayable, open_attempt
from payments.services.canceling import CannotCancel
from payments.services.placing import CannotPlace
from payments.tests import support
from payments.tests.threads import all_at_once
from shop import services as stock
from shop.models import StockMovement, Variant
from shop.services import InsufficientStock
from shop.tests.factories import VariantFactory
from shop.tests.locks import is_somebody_waiting
from shop.tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_queue")]


def buy(cart: Cart, name: str) -> PaymentAttempt:
    return support.checkout(cart, buyer=support.a_buyer(email=f"{name}@example.com"))


def test_twenty_buyers_race_for_five_units(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=5)
    carts = [support.cart_with(variant) for _ in range(20)]

    outcomes = all_at_once(
        [partial(buy, cart, f"b{n}") for n, cart in enumerate(carts)],
        may_raise=(InsufficientStock,),
    )

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
            wait_until(is_somebody_waiting, seconds=10)
            stock.lock([second.pk])

    def place_anew() -> None:
        has_first.wait()
        support.checkout(cart)

    outcomes = all_at_once([other_buyer, place_anew])

    assert outcomes == [None, None]
    assert set(Variant.objects.values_list("reserved", flat=True)) == {1}


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

    outcomes = all_at_once([partial(buy, cart, "same") for cart in carts], may_raise=(CannotPlace,))

    assert Counter(type(outcome) for outcome in outcomes) == {PaymentAttempt: 2, CannotPlace: 4}
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


def an_order(variant: Variant, **fields: Any) -> Order:
    return PendingOrderFactory(quantities={variant: 1}, at=support.stripe_now(), **fields)


def pay(sandbox: Any, attempt: PaymentAttempt) -> None:
    """Pay as the buyer does, and hear of it at once."""
    if attempt.kind == PaymentAttempt.Kind.CHECKOUT:
        sandbox.pay(attempt.url)
    else:
        support.confirm_intent(attempt.intent_id or "", attempt.client_secret)
    attempts.reconcile(attempt=attempt, at=support.stripe_now())


def captured_minor(order: Order) -> int:
    return order.ledger.filter(kind="capture").total_minor(order.currency)


@pytest.mark.parametrize("kind", PaymentAttempt.Kind.values[:2])
@pytest.mark.parametrize("ends", ["canceling", "expiry"])
def test_a_payment_against_the_end_of_its_order_has_one_winner(
    sandbox: Any, kind: str, ends: str
) -> None:
    variant = VariantFactory(on_hand=6)
    found = [an_order(variant) for _ in range(6)]
    at = support.stripe_now()
    opened = [
        open_attempt(order_id=order.pk, at=at, kind=PaymentAttempt.Kind(kind)) for order in found
    ]
    late = max(support.reread(order).hold_until for order in found)
    end = {
        "canceling": lambda order: canceling.cancel(
            order_id=order.pk, reason=Reason.BUYER, at=support.stripe_now()
        ),
        "expiry": lambda order: holds.expire(order_id=order.pk, at=late),
    }[ends]

    all_at_once(
        [partial(pay, sandbox, attempt) for attempt in opened]
        + [partial(end, order) for order in found],
        may_raise=(requests.HTTPError, CannotCancel),
    )
    support.run_jobs()

    outcomes = Counter(
        (support.reread(order).status, captured_minor(order) == order.total_minor)
        for order in found
    )
    paid = outcomes[Status.PAID, True]
    assert outcomes == +Counter({(Status.PAID, True): paid, (Status.CANCELED, False): 6 - paid})
    assert not PaymentAttempt.objects.live().exists()
    assert not Refund.objects.exists()
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (6 - paid, 0)


def test_two_payments_of_one_order_at_once_keep_one_and_give_one_back(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=5)
    found = [an_order(variant) for _ in range(5)]
    at = support.stripe_now()
    both = []
    for order in found:
        first = open_attempt(order_id=order.pk, at=at)
        # It is closed here alone: at Stripe its page still takes money.
        PaymentAttempt.objects.filter(pk=first.pk).update(state="closed", closed_as="superseded")
        both += [first, open_attempt(order_id=order.pk, at=at, kind=PaymentAttempt.Kind.INTENT)]

    assert all_at_once([partial(pay, sandbox, attempt) for attempt in both]) == [None] * 10
    support.run_jobs()

    assert {support.reread(order).status for order in found} == {Status.PAID}
    assert {captured_minor(order) for order in found} == {2 * found[0].total_minor}
    given_back = Refund.objects.values_list("why", "state", "amount_minor")
    assert list(given_back) == [("duplicate", "succeeded", found[0].total_minor)] * 5
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (0, 0)


def test_a_late_payment_against_the_next_buyer_of_its_unit_sells_it_once(sandbox: Any) -> None:
    variants = [VariantFactory(on_hand=1) for _ in range(5)]
    calls: list[Callable[[], Any]] = []
    late = []
    for number, variant in enumerate(variants):
        order = an_order(variant)
        attempt = open_attempt(order_id=order.pk, at=support.stripe_now())
        sandbox.pay(attempt.url)
        # It expired here alone, as when Stripe's word of the payment is late.
        expire_behind_stripes_back(attempt)
        late.append(order)
        calls += [
            partial(attempts.reconcile, attempt=attempt, at=support.stripe_now()),
            partial(buy, support.cart_with(variant), f"next{number}"),
        ]

    outcomes = all_at_once(calls, may_raise=(InsufficientStock,))
    support.run_jobs()

    for order, variant, next_buyer in zip(late, variants, outcomes[1::2], strict=True):
        variant.refresh_from_db()
        order.refresh_from_db()
        if isinstance(next_buyer, PaymentAttempt):
            assert (order.status, variant.on_hand, variant.reserved) == (Status.CANCELED, 1, 1)
            assert [refund.why for refund in order.refunds.all()] == ["late"]
        else:
            assert (order.status, variant.on_hand, variant.reserved) == (Status.PAID, 0, 0)
            assert not order.refunds.exists()


def expire_behind_stripes_back(attempt: PaymentAttempt) -> None:
    PaymentAttempt.objects.filter(pk=attempt.pk).update(state="closed", closed_as="expired")
    hold_until = support.reread(attempt.order).hold_until
    assert holds.expire(order_id=attempt.order_id, at=hold_until + timedelta(seconds=1)) is True


def test_both_flows_asked_for_at_once_leave_one_that_can_be_paid(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=5)
    found = [an_order(variant) for _ in range(5)]
    at = support.stripe_now()

    all_at_once(
        [
            partial(open_attempt, order_id=order.pk, at=at, kind=kind)
            for order in found
            for kind in (PaymentAttempt.Kind.CHECKOUT, PaymentAttempt.Kind.INTENT)
        ],
        may_raise=(NotPayable,),
    )
    support.run_jobs()

    live = PaymentAttempt.objects.live()
    assert Counter(live.values_list("order", flat=True)) == {order.pk: 1 for order in found}
    sessions = support.stripe_get("checkout/sessions?limit=100")["data"]
    intents = support.stripe_get("payment_intents?limit=100")["data"]
    payable = {found["id"] for found in sessions if found["status"] == "open"}
    payable |= {found["id"] for found in intents if found["status"] != "canceled"}
    assert payable == {attempt.stripe_id for attempt in live}


@pytest.mark.parametrize(
    ("kind", "create", "path", "ended"),
    [
        (PaymentAttempt.Kind.CHECKOUT, gateway.create_session, "checkout/sessions", "expired"),
        (PaymentAttempt.Kind.INTENT, gateway.create_intent, "payment_intents", "canceled"),
    ],
)
def test_a_payment_that_comes_into_being_while_it_is_given_up_is_ended(
    sandbox: Any, kind: PaymentAttempt.Kind, create: Any, path: str, ended: str
) -> None:
    order = an_order(VariantFactory())
    at = support.stripe_now()
    sandbox.fault(kind="refuse")
    with pytest.raises(gateway.Unreachable):
        open_attempt(order_id=order.pk, at=at, kind=kind)
    attempt = order.attempts.get()
    has_lock = Event()

    def answer() -> None:
        with transaction.atomic():
            Order.objects.select_for_update().get(pk=order.pk)
            has_lock.set()
            # The other has looked for it in vain, and waits to close it.
            wait_until(is_somebody_waiting, seconds=10)
            payment = create(params=attempt.params, idempotency_key=attempt.idempotency_key)
            assert settling.settle(payment=payment, cause="", at=at).attempt.state == "open"

    def give_up() -> None:
        has_lock.wait()
        canceling.cancel(order_id=order.pk, reason=Reason.BUYER, at=at)

    all_at_once([answer, give_up])

    attempt.refresh_from_db()
    assert (attempt.state, attempt.closed_as) == ("closed", "canceled")
    assert support.reread(order).status == Status.CANCELED
    assert support.stripe_get(f"{path}/{attempt.stripe_id}")["status"] == ended
