"""Whatever shoppers, the bank, Stripe and the clock do, and in whatever order: the books agree."""

import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings
from django.db.models import Model, Sum
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.tests.factories import UserFactory
from cart import services as carts
from cart.models import Cart
from orders import services as orders
from orders.models import Order, OrderEvent, OrderLine, Reason, Review, Status
from payments import gateway
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt
from payments.services import attempts, holds, inbox, placing, reviews
from payments.tests import support
from shop.clock import now
from shop.models import StockMovement, Variant
from shop.services import InsufficientStock
from shop.tests.factories import VariantFactory

CREATE_SESSION = {"method": "POST", "path": "/v1/checkout/sessions", "times": 1}
REFUSALS = (
    placing.CannotPlace,
    placing.AlreadyPaid,
    attempts.NotPayable,
    InsufficientStock,
    gateway.Unreachable,
)
# Which one of what there is by then; taken modulo how many there are.
ANY = st.integers(0, 5)
PLACE = st.tuples(
    st.just("place"), ANY, st.sampled_from(["", "", "", "drop_answer", "error_after"])
)
PAY = st.tuples(
    st.just("pay_at_stripe"), ANY, st.sampled_from(["good", "good", "declined", "bank_debit"])
)
DELIVER = st.tuples(st.just("deliver"), st.integers(0, 99), st.booleans())
STEPS = st.one_of(
    # What happens most is drawn most, or little would ever be paid.
    PLACE,
    PLACE,
    PAY,
    PAY,
    DELIVER,
    DELIVER,
    st.tuples(st.just("pay_now"), ANY),
    st.tuples(st.just("decide_bank_debit"), ANY, st.sampled_from(["succeeded", "failed"])),
    st.tuples(st.just("change_cart"), ANY, ANY, st.integers(0, 3)),
    st.tuples(st.just("sign_in")),
    st.tuples(st.just("cancel_behind"), ANY, st.sampled_from([Reason.BUYER, Reason.EXPIRY])),
    st.tuples(st.just("pass_time"), st.sampled_from([5, 50, 70])),
    st.tuples(st.just("end_holds"), st.sampled_from([0, 70])),
    st.tuples(st.just("accept_review"), ANY),
)


class World:
    """Two carts, one a guest's and one a user's, two variants of few units, and Stripe."""

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.variants = [VariantFactory(on_hand=2), VariantFactory(on_hand=3)]
        self.user = UserFactory()
        self.carts = [
            support.cart_with(self.variants[0]),
            support.cart_with(*self.variants, user=self.user),
        ]

    def place(self, which: int, fault: str) -> None:
        if fault:
            self.sandbox.fault(**CREATE_SESSION, kind=fault)
        cart = Cart.objects.get(pk=self.carts[which % 2].pk)
        user = self.user if cart.merged_into_id or cart.user_id else None
        try:
            support.checkout(cart, buyer=support.a_buyer(user=user), at=now())
        except REFUSALS:
            pass
        finally:
            # One that struck nothing is not left for later.
            requests.delete(f"{self.sandbox.url}/_sandbox/faults", timeout=10).raise_for_status()

    def pay_now(self, which: int) -> None:
        if order := pick(Order.objects.order_by("pk"), which):
            try:
                attempts.open_attempt(order_id=order.pk, at=now())
            except REFUSALS:
                return

    def pay_at_stripe(self, which: int, how: str) -> None:
        sessions = [s for s in listed("checkout/sessions") if s["status"] == "open"]
        if session := pick(sessions, which):
            forms = {
                "good": {},
                "declined": {"card": "4000000000000002"},
                "bank_debit": {"method": "bank_debit"},
            }
            self.sandbox.pay(session["url"], **forms[how])

    def decide_bank_debit(self, which: int, outcome: str) -> None:
        waiting = [i for i in listed("payment_intents") if i["status"] == "processing"]
        if intent := pick(waiting, which):
            self.sandbox.post(f"bank_debits/{intent['id']}", outcome=outcome)

    def change_cart(self, which: int, variant: int, quantity: int) -> None:
        cart, chosen = self.carts[which % 2], self.variants[variant % 2]
        if quantity == 0:
            carts.remove(cart=cart, variant=chosen)
        elif not carts.set_quantity(cart=cart, variant=chosen, quantity=quantity):
            carts.add(cart=cart, variant=chosen, quantity=quantity, at=now())

    def sign_in(self) -> None:
        carts.merge(guest=self.carts[0], user_cart=self.carts[1], at=now())

    def cancel_behind(self, which: int, reason: Reason) -> None:
        """Cancel an order without Stripe's knowledge, as when its answer was wrong or lost."""
        at_rest = Order.objects.pending().exclude(attempts__state="processing")
        at_rest = at_rest.exclude(pk__in=Review.objects.open().values("order"))
        if order := pick(at_rest.order_by("pk"), which):
            orders.cancel(order=order, reason=reason, cause="", at=now())
            order.attempts.live().update(state="closed", closed_as="canceled")

    def pass_time(self, minutes: int) -> None:
        self.sandbox.post("clock", advance=minutes * 60)

    def end_holds(self, minutes: int) -> None:
        """End the holds that are over, by a clock of ours that may run ahead of Stripe's."""
        at = now() + timedelta(minutes=minutes)
        for order in holds.overdue(at):
            holds.expire(order_id=order.pk, at=at)

    def deliver(self, seed: int, jobs_run: bool) -> None:
        """Deliver some of the events, in any order, some of them twice."""
        events, chance = support.all_events(), random.Random(seed)
        for _ in events:
            assert support.deliver(chance.choice(events)) == 200
        if jobs_run:
            support.run_jobs()

    def accept_review(self, which: int) -> None:
        if review := pick(Review.objects.order_by("pk"), which):
            try:
                reviews.accept(review_id=review.pk, by=7, at=now())
            except (reviews.CannotAccept, InsufficientStock):
                return

    def come_to_rest(self) -> None:
        """Deliver all that is left, and run what is queued, until nothing happens any more."""
        known = -1
        while known != (known := len(events := support.all_events())):
            for event in events:
                assert support.deliver(event) == 200
            support.run_jobs()


class Invariants(TestCase):
    sandbox: Any

    @pytest.fixture(autouse=True)
    def _with_sandbox(self, sandbox: Any) -> None:
        self.sandbox = sandbox

    @hypothesis_settings(max_examples=20, deadline=None)
    @given(steps=st.lists(STEPS, min_size=5, max_size=20))
    def test_hold_after_every_step_and_agree_with_stripe_at_rest(
        self, steps: list[tuple[Any, ...]]
    ) -> None:
        self.sandbox.post("reset")
        Path(settings.CLOCK_OFFSET_FILE).unlink(missing_ok=True)
        world = World(self.sandbox)

        for name, *arguments in steps:
            getattr(world, name)(*arguments)
            check_stock()
            check_orders()
        world.come_to_rest()

        check_stock()
        check_orders()
        check_against_stripe()
        check_that_done_events_change_nothing(world)
        check_that_nobody_waits_for_ever(world)


def check_stock() -> None:
    """Invariant 1: the counters are what pending orders hold, and the sums of their movements."""
    pending = OrderLine.objects.filter(order__status=Status.PENDING)
    held = dict(pending.values_list("variant").annotate(units=Sum("quantity")).order_by())
    moved = StockMovement.objects.values("variant").annotate(
        on_hand=Sum("on_hand_delta"), reserved=Sum("reserved_delta")
    )
    sums = {row["variant"]: (row["on_hand"], row["reserved"]) for row in moved.order_by()}
    for variant in Variant.objects.all():
        assert 0 <= variant.reserved <= variant.on_hand
        assert variant.reserved == held.get(variant.pk, 0)
        assert (variant.on_hand, variant.reserved) == sums[variant.pk]


def check_orders() -> None:
    """Invariants 2 (the story), 3 and 4, of every order."""
    for order in Order.objects.prefetch_related("lines", "attempts", "events"):
        events = list(order.events.all())
        assert [e.from_status for e in events] == ["", *(e.to_status for e in events[:-1])]
        assert events[-1].to_status == order.status

        captured = order.ledger.received().total_minor(order.currency)
        is_in_review = order.reviews.open().exists()
        if order.is_paid:
            assert captured > 0
        else:
            assert order.is_pending or order.is_canceled
            assert captured == 0 or is_in_review

        lines = sum(line.subtotal_minor - line.discount_minor for line in order.lines.all())
        assert lines + order.shipping_minor + order.tax_minor == order.total_minor
        for attempt in order.attempts.all():
            assert (attempt.amount_minor, attempt.currency) == (order.total_minor, order.currency)


def check_against_stripe() -> None:
    """What Stripe captured is booked once, for the order it names; what is over cannot be paid."""
    captured = [c for c in listed("charges") if c["paid"] and c["captured"]]
    booked = LedgerEntry.objects.filter(kind="capture").select_related("order")
    assert Counter((c["id"], c["amount_captured"], c["metadata"]["order"]) for c in captured) == (
        Counter((entry.stripe_id, entry.amount_minor, entry.order.number) for entry in booked)
    )

    over = Order.objects.exclude(status=Status.PENDING) | Order.objects.filter(
        reviews__resolved_at=None, reviews__isnull=False
    )
    still_live = PaymentAttempt.objects.live().filter(order__in=over).exclude(state="processing")
    assert list(still_live) == []
    assert set(InboxEvent.objects.values_list("state", flat=True)) <= {"done", "ignored"}


def check_that_done_events_change_nothing(world: World) -> None:
    before = snapshot()

    for event in support.all_events():
        support.deliver(event)
    for pk in InboxEvent.objects.values_list("pk", flat=True):
        inbox.process(inbox_id=pk, at=now())
    support.run_jobs()

    assert snapshot() == before


def check_that_nobody_waits_for_ever(world: World) -> None:
    """Invariant 6: two days on, only money on its way and open questions keep an order pending."""
    world.pass_time(2 * 24 * 60)
    world.end_holds(0)
    world.come_to_rest()

    check_stock()
    check_orders()
    left = Order.objects.pending().exclude(attempts__state="processing")
    assert not left.exclude(pk__in=Review.objects.open().values("order")).exists()


def snapshot() -> list[list[dict[str, Any]]]:
    """Return every row that an event may change."""
    tables: list[type[Model]] = [
        Cart,
        Order,
        OrderEvent,
        Review,
        PaymentAttempt,
        InboxEvent,
        LedgerEntry,
        StockMovement,
    ]
    return [list(table._base_manager.order_by("pk").values()) for table in tables]


def listed(path: str) -> list[dict[str, Any]]:
    """Return what Stripe lists, in the order in which it came to be."""
    found: list[dict[str, Any]] = support.stripe_get(f"{path}?limit=100")["data"]
    return found[::-1]


def pick(found: Any, which: int) -> Any:
    """Return one of those found, or None when there are none."""
    choice = list(found)
    return choice[which % len(choice)] if choice else None
