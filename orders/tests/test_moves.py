"""The table of moves is walked by one service, and each step leaves its entry in the story."""

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from django.core import mail
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from procrastinate.contrib.django.models import ProcrastinateJob

from orders import services, tasks
from orders.models import Order, OrderEvent, OrderMail, Reason, Review, Status
from orders.moves import MOVES, ForbiddenMove, check
from orders.tests.factories import PendingOrderFactory
from shop.models import StockMovement
from shop.services import InsufficientStock, adjust
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_the_table_allows_what_it_lists_and_nothing_else() -> None:
    for from_status, to_status, reason in product(Status, Status, Reason):
        if reason in MOVES.get((from_status, to_status), ()):
            check(from_status, to_status, reason)
        else:
            with pytest.raises(ForbiddenMove):
                check(from_status, to_status, reason)


def test_a_placed_order_freezes_its_lines_and_holds_its_units() -> None:
    variant = VariantFactory(price_minor=1_250, on_hand=3, title="Hardcover")

    order = PendingOrderFactory(quantities={variant: 2})

    line = order.lines.get()
    assert line.title == f"{variant.product.title}, Hardcover"
    assert (line.sku, line.quantity, line.unit_price_minor) == (variant.sku, 2, 1_250)
    assert (order.subtotal_minor, order.shipping_minor, order.total_minor) == (2_500, 490, 2_990)
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (3, 2)
    assert len(order.number) == 10
    assert not set(order.number) & set("01OI")


def test_a_paid_order_sells_its_units_and_owes_one_confirmation() -> None:
    variant = VariantFactory(on_hand=3)
    order = PendingOrderFactory(quantities={variant: 2})

    services.mark_paid(order=order, reason=Reason.CAPTURE, cause="evt_1", at=NOON)

    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (1, 0)
    event = order.events.last()
    assert event is not None
    assert (event.from_status, event.to_status, event.cause) == ("pending", "paid", "evt_1")
    assert OrderMail.objects.get().kind == "confirmation"
    assert sorted(ProcrastinateJob.objects.values_list("task_name", flat=True)) == [
        "orders.tasks.empty_cart",
        "orders.tasks.send_mail",
    ]


def test_a_canceled_order_gives_its_units_back() -> None:
    variant = VariantFactory(on_hand=3)
    order = PendingOrderFactory(quantities={variant: 2})

    services.cancel(order=order, reason=Reason.BUYER, cause="", at=NOON)

    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (3, 0)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (Reason.BUYER, [("canceled", "buyer", {"reason": "buyer"})]),
        (Reason.STAFF, [("canceled", "staff", {"reason": "staff"})]),
        (Reason.EXPIRY, [("canceled", "expiry", {"reason": "expiry"})]),
        (Reason.REPLACEMENT, []),
    ],
)
def test_whoever_did_not_order_anew_is_told_that_his_order_is_canceled(
    reason: Reason, told: list[Any]
) -> None:
    order = PendingOrderFactory()

    services.cancel(order=order, reason=reason, cause="", at=NOON, note="Out of print.")

    order.refresh_from_db()
    assert order.cancel_note == "Out of print."
    assert list(OrderMail.objects.values_list("kind", "cause", "facts")) == told


def test_a_forbidden_move_writes_nothing() -> None:
    order = PendingOrderFactory()
    services.mark_paid(order=order, reason=Reason.CAPTURE, cause="evt_1", at=NOON)
    before = (OrderEvent.objects.count(), StockMovement.objects.count())

    with pytest.raises(ForbiddenMove):
        services.mark_paid(order=order, reason=Reason.CAPTURE, cause="evt_2", at=NOON)
    with pytest.raises(ForbiddenMove):
        services.cancel(order=order, reason=Reason.EXPIRY, cause="", at=NOON)

    assert (OrderEvent.objects.count(), StockMovement.objects.count()) == before
    assert Order.objects.get().status == Status.PAID


def test_late_money_takes_no_units_that_are_gone() -> None:
    variant = VariantFactory(on_hand=2)
    order = PendingOrderFactory(quantities={variant: 2})
    services.cancel(order=order, reason=Reason.EXPIRY, cause="", at=NOON)
    adjust(variant_id=variant.pk, difference=-1, reason="lost", at=NOON)
    before = OrderEvent.objects.count()

    with pytest.raises(InsufficientStock):
        services.mark_paid(order=order, reason=Reason.LATE_CAPTURE, cause="evt_1", at=NOON)

    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (1, 0)
    assert OrderEvent.objects.count() == before
    assert Order.objects.get().status == Status.CANCELED


def test_a_review_is_opened_once_per_cause_and_lets_the_cart_go() -> None:
    order = PendingOrderFactory()

    for cause in ("ch_1", "ch_1", "ch_2"):
        services.open_review(
            order=order, reason=Review.Reason.MISMATCH, cause=cause, detail="", at=NOON
        )

    assert list(Review.objects.values_list("cause", flat=True)) == ["ch_1", "ch_2"]
    assert order.events.filter(reason="review_opened").count() == 2
    assert Order.objects.get().cart_due_at == NOON


def test_the_confirmation_is_sent_once_in_text_and_html_with_a_link_of_our_own() -> None:
    order = PendingOrderFactory()
    services.mark_paid(order=order, reason=Reason.CAPTURE, cause="evt_1", at=NOON)
    owed = OrderMail.objects.get()

    tasks.send_mail.func(owed.pk)
    tasks.send_mail.func(owed.pk)

    (sent,) = mail.outbox
    assert sent.subject == f"Your order {order.number} at Quire & Quill is paid"
    assert sent.extra_headers["Message-ID"] == f"<order-mail-{owed.pk}@testserver>"
    link = f"http://testserver/orders/{order.number}/"
    assert link in sent.body
    assert "Ada Reader" in sent.body
    html, mimetype = sent.alternatives[0]  # type: ignore[attr-defined]
    assert (mimetype, link in html) == ("text/html", True)
    owed.refresh_from_db()
    assert owed.sent_at is not None


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.sampled_from(
            [Reason.CAPTURE, Reason.BUYER, Reason.EXPIRY, Reason.LATE_CAPTURE, Reason.ACCEPTED]
        ),
        max_size=6,
    )
)
def test_whatever_is_tried_the_story_chains_and_the_counters_are_the_sums_of_their_movements(
    steps: list[Reason],
) -> None:
    variant = VariantFactory(on_hand=5)
    order = PendingOrderFactory(quantities={variant: 2})

    for reason in steps:
        move = services.cancel if reason in {Reason.BUYER, Reason.EXPIRY} else services.mark_paid
        try:
            move(order=order, reason=reason, cause="x", at=NOON)
        except ForbiddenMove:
            continue

    events = list(order.events.all())
    assert [e.from_status for e in events] == ["", *(e.to_status for e in events[:-1])]
    assert events[-1].to_status == Order.objects.get(pk=order.pk).status == order.status
    variant.refresh_from_db()
    moved = list(variant.movements.values_list("on_hand_delta", "reserved_delta"))
    assert variant.on_hand == sum(delta for delta, _ in moved)
    assert variant.reserved == sum(delta for _, delta in moved)
    assert variant.reserved == (2 if order.is_pending else 0)
