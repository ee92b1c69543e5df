"""A try to pay: opened once, repeated after a lost answer, adopted, closed at Stripe.

Each step commits before Stripe is called, and no transaction is open while it is: a crash anywhere
leaves a row that says what was asked and under which key.
"""

import time
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from structlog.contextvars import bind_contextvars

from orders import links
from orders import services as orders
from orders.models import Order
from payments import gateway
from payments.models import PaymentAttempt
from payments.queue import enqueue
from payments.services import settling
from shop import money
from shop.faults import fault_point

State = PaymentAttempt.State
Kind = PaymentAttempt.Kind
ClosedAs = PaymentAttempt.ClosedAs

# Stripe keeps an idempotency key for at least a day, but an attempt this old has lost its answer
# for good: its session is looked for in Stripe's list instead of being asked for again.
REPEAT_WITHIN = timedelta(minutes=10)
# Stripe forgets nothing that a buyer could have paid, so what it does not know is another account's
# as long as somebody may still put the key right.
_FORGOTTEN_AFTER = timedelta(days=1)
_RECONCILE_EVERY = timedelta(minutes=1)
# How long we wait for our other request with the same key.
_KEY_IN_USE_SECONDS = 5.0
_KEY_IN_USE_STEP = 0.25
_ROUNDS = 3


class NotPayable(Exception):
    """No payment can be started for this order now; `order` holds the true state."""

    def __init__(self, order: Order, why: str) -> None:
        super().__init__(f"{order.number}: {why}")
        self.order = order


def open_attempt(
    *, order_id: int, at: datetime, kind: PaymentAttempt.Kind = Kind.CHECKOUT
) -> PaymentAttempt:
    """Return the order's open attempt of this kind: with the address at which the buyer pays, or,
    for an intent, with the secret by which his own client does.

    Asking again returns the same one; one of the other kind is closed at Stripe first. Raises
    NotPayable, and the gateway's errors; after gateway.Unreachable trying again is safe.
    """
    # What is found lost, over, or of the other kind makes room for another.
    for _ in range(_ROUNDS):
        attempt = _current_attempt(order_id, kind, at)
        bind_contextvars(order_number=attempt.order.number, payment_attempt_id=attempt.pk)
        if attempt.kind != kind:
            close_at_stripe(attempt=attempt, closed_as=ClosedAs.SUPERSEDED, at=at)
        elif attempt.state == State.OPEN and attempt.deadline_at > at:
            return attempt
        elif attempt.state == State.OPEN:
            close_at_stripe(attempt=attempt, closed_as=ClosedAs.EXPIRED, at=at)
        elif at - attempt.created_at > REPEAT_WITHIN:
            _look_for(attempt, at)
        else:
            try:
                return _ask(attempt, at)
            except gateway.ReplayedFailure:
                _look_for(attempt, at)
    raise gateway.Unreachable("no attempt could be opened")


def reconcile(*, attempt: PaymentAttempt, at: datetime) -> None:
    """Read what became of an attempt at Stripe, and settle it; the same as an event would do.

    An intent that is open past its deadline is canceled: unlike a session it never ends by itself.
    """
    if attempt.stripe_id is None:
        _look_for(attempt, at)
        return
    try:
        payment = read(attempt)
    except gateway.Missing:
        _require_forgotten(attempt, at)
        _close(attempt, ClosedAs.EXPIRED)
    else:
        settled = settling.settle(payment=payment, cause=payment.id, at=at).attempt
        is_over = settled.state == State.OPEN and settled.deadline_at <= at
        if is_over and settled.kind == Kind.INTENT:
            close_at_stripe(attempt=settled, closed_as=ClosedAs.EXPIRED, at=at)


def read(attempt: PaymentAttempt) -> settling.Payment:
    """Read the session or intent of an attempt whose id is known; raises the gateway's errors."""
    if attempt.kind == Kind.INTENT:
        return gateway.retrieve_intent(attempt.intent_id or "")
    return gateway.retrieve_session(attempt.session_id or "")


def queue_reconciliation(*, attempt: PaymentAttempt, at: datetime) -> None:
    """Queue the job that asks Stripe after this attempt, once a minute at most."""
    with transaction.atomic():
        is_due = (
            PaymentAttempt.objects.filter(pk=attempt.pk)
            .filter(Q(reconcile_queued_at=None) | Q(reconcile_queued_at__lt=at - _RECONCILE_EVERY))
            .update(reconcile_queued_at=at)
        )
        if is_due:
            enqueue("reconcile_attempt", attempt_id=attempt.pk)


def close_all(*, order_id: int, closed_as: ClosedAs, at: datetime) -> None:
    """Close at Stripe whatever can still be paid for an order; money on its way goes its way.

    Raises the gateway's errors.
    """
    open_to_pay = PaymentAttempt.objects.live().exclude(state=State.PROCESSING)
    for attempt in open_to_pay.filter(order_id=order_id):
        close_at_stripe(attempt=attempt, closed_as=closed_as, at=at)


def close_at_stripe(*, attempt: PaymentAttempt, closed_as: ClosedAs, at: datetime) -> None:
    """Make sure that nothing can be paid by this attempt any more.

    A payment that was faster is settled instead: the caller looks at the rows again. Raises the
    gateway's errors and StaleRead, and then the attempt stays as it is, with the time of the
    failed try.
    """
    try:
        if attempt.stripe_id is None:
            _look_for(attempt, at, closed_as)
            attempt.refresh_from_db()
        elif attempt.kind == Kind.CHECKOUT and attempt.deadline_at <= at:
            # It ended by itself most often, and then there is nothing to ask for. An intent never
            # does.
            reconcile(attempt=attempt, at=at)
            attempt.refresh_from_db()
        if attempt.state == State.OPEN:
            was_ended = end(attempt=attempt, at=at)
            fault_point("attempts:ended-at-stripe")
            if was_ended:
                _close(attempt, closed_as)
    except (gateway.GatewayError, settling.StaleRead):
        PaymentAttempt.objects.filter(pk=attempt.pk).update(close_failed_at=at)
        raise


def end(*, attempt: PaymentAttempt, at: datetime) -> bool:
    """End an attempt at Stripe; return False when it was over already, settled as it is.

    Raises the gateway's errors, and StaleRead when Stripe refuses, yet reads as if it could not.
    """
    try:
        ended = _end_at_stripe(attempt)
    except gateway.Missing:
        _require_forgotten(attempt, at)
        return True
    except gateway.Refused as refusal:
        payment = read(attempt)
        if settling.is_payable(payment):
            raise settling.StaleRead(f"{payment.id} cannot be ended, yet looks open") from refusal
        settling.settle(payment=payment, cause=payment.id, at=at)
        return False
    if settling.has_failed(ended):
        # The bank said no, which we had not heard: that gives the buyer another day.
        settling.settle(payment=ended, cause=ended.id, at=at)
        return False
    return True


def _require_forgotten(attempt: PaymentAttempt, at: datetime) -> None:
    """Raise NotAvailable unless what Stripe does not know was over long ago, and nobody can pay it.

    A wrong key, a test key say, knows none of our attempts: it must not end a single order.
    """
    is_long_over = at > attempt.deadline_at + _FORGOTTEN_AFTER
    if attempt.state == State.PROCESSING or not is_long_over:
        raise gateway.NotAvailable(f"the secret key does not know {attempt.stripe_id}")


def _end_at_stripe(attempt: PaymentAttempt) -> settling.Payment:
    if attempt.kind == Kind.INTENT:
        return gateway.cancel_intent(attempt.intent_id or "")
    return gateway.expire_session(attempt.session_id or "")


@transaction.atomic(durable=True)
def _current_attempt(order_id: int, kind: PaymentAttempt.Kind, at: datetime) -> PaymentAttempt:
    """Return the attempt that may still bring money, made and committed if there is none."""
    order = orders.lock(order_id)
    if not order.is_pending:
        raise NotPayable(order, f"it is {order.status}")
    if order.reviews.open().exists():
        raise NotPayable(order, "a review is open")
    attempt = order.attempts.live().first()
    if attempt is None:
        return _create(order, kind, at)
    if attempt.state == State.PROCESSING:
        raise NotPayable(order, "money is on its way")
    return attempt


def may_start(order: Order, at: datetime) -> bool:
    """Tell whether the order's deadlines leave room for a new attempt."""
    return order.hold_until > at and order.pay_until >= at + settings.SESSION_LASTS


def _create(order: Order, kind: PaymentAttempt.Kind, at: datetime) -> PaymentAttempt:
    if not may_start(order, at):
        raise NotPayable(order, "its time is over")
    deadline_at = (at + settings.SESSION_LASTS).replace(microsecond=0)
    attempt = PaymentAttempt(
        order=order,
        kind=kind,
        amount_minor=order.total_minor,
        currency=order.currency,
        created_at=at,
        deadline_at=deadline_at,
    )
    ask_for = _intent_params if kind == Kind.INTENT else _session_params
    attempt.params = ask_for(order, attempt)
    attempt.save()
    orders.extend(order=order, hold_until=deadline_at + settings.CLOCK_MARGIN)
    return attempt


def _ask(attempt: PaymentAttempt, at: datetime) -> PaymentAttempt:
    """Ask Stripe for the attempt's session or intent, under its key, and record the answer."""
    fault_point("attempts:before-stripe")
    create = gateway.create_intent if attempt.kind == Kind.INTENT else gateway.create_session
    try:
        payment = create(params=attempt.params, idempotency_key=attempt.idempotency_key)
    except gateway.KeyInUse:
        return _await_other_request(attempt)
    fault_point("attempts:after-stripe")
    settled = settling.settle(payment=payment, cause=payment.id, at=at)
    if settled.attempt.state != State.OPEN:
        # It was closed while we asked; settling has queued its end at Stripe.
        raise NotPayable(settled.order, f"the attempt is {settled.attempt.state}")
    return settled.attempt


def _await_other_request(attempt: PaymentAttempt) -> PaymentAttempt:
    """Wait for our other request with this key to record its answer; raises Unreachable."""
    give_up_at = time.monotonic() + _KEY_IN_USE_SECONDS
    while attempt.state == State.CREATED:
        if time.monotonic() > give_up_at:
            raise gateway.Unreachable("the other request did not finish")
        time.sleep(_KEY_IN_USE_STEP)
        attempt.refresh_from_db()
    if attempt.state != State.OPEN:
        raise NotPayable(attempt.order, f"the attempt is {attempt.state}")
    return attempt


def _look_for(attempt: PaymentAttempt, at: datetime, closed_as: ClosedAs = ClosedAs.FAILED) -> None:
    """Adopt what an unanswered request made after all, or close the attempt."""
    search = (
        gateway.intent_of_attempt if attempt.kind == Kind.INTENT else gateway.session_of_attempt
    )
    payment = search(
        str(attempt.key),
        since=attempt.created_at - settings.CLOCK_MARGIN,
        until=attempt.created_at + REPEAT_WITHIN + settings.CLOCK_MARGIN,
    )
    if payment is not None:
        settling.settle(payment=payment, cause=payment.id, at=at)
    else:
        _close(attempt, closed_as)


@transaction.atomic(durable=True)
def _close(attempt: PaymentAttempt, closed_as: ClosedAs) -> None:
    orders.lock(attempt.order_id)
    seen_id = attempt.stripe_id
    attempt.refresh_from_db()
    # What was not found may have come into being since, and then it can be paid.
    if attempt.stripe_id == seen_id:
        settling.close(attempt, closed_as)


def _tags(order: Order, attempt: PaymentAttempt) -> dict[str, str]:
    return {"app": settings.STRIPE_APP_TAG, "order": order.number, "attempt": str(attempt.key)}


def _intent_params(order: Order, attempt: PaymentAttempt) -> dict[str, Any]:
    """Return what Stripe is asked for, word for word.

    Source: https://docs.stripe.com/api/payment_intents/create
    """
    return {
        "amount": money.to_stripe(order.total_minor, order.currency),
        "currency": order.currency.lower(),
        "metadata": _tags(order, attempt),
        "payment_method_types": settings.PAYMENT_METHODS,
    }


def _session_params(order: Order, attempt: PaymentAttempt) -> dict[str, Any]:
    """Return what Stripe is asked for, word for word; amounts in the unit that Stripe counts in.

    Source: https://docs.stripe.com/api/checkout/sessions/create
    """
    tags = _tags(order, attempt)
    currency = order.currency.lower()
    link = [order.number, links.sign(order.number)]
    success = settings.SITE_URL + reverse("payments:success", args=link)
    return {
        "mode": "payment",
        "payment_method_types": settings.PAYMENT_METHODS,
        "client_reference_id": order.number,
        "metadata": tags,
        # A session's metadata is not copied to its intent, and only the intent's reaches a charge.
        "payment_intent_data": {"metadata": tags},
        "customer_email": order.email,
        "customer_creation": "if_required",
        "line_items": [
            {
                "quantity": line.quantity,
                "price_data": {
                    "currency": currency,
                    "unit_amount": money.to_stripe(line.unit_price_minor, order.currency),
                    "product_data": {"name": line.title, "metadata": {"sku": line.sku}},
                },
            }
            for line in order.lines.all()
        ],
        "shipping_options": [
            {
                "shipping_rate_data": {
                    "type": "fixed_amount",
                    "display_name": "Shipping" if order.shipping_minor else "Free shipping",
                    "fixed_amount": {
                        "amount": money.to_stripe(order.shipping_minor, order.currency),
                        "currency": currency,
                    },
                }
            }
        ],
        "adaptive_pricing": {"enabled": False},
        "billing_address_collection": "auto",
        "locale": "auto",
        "submit_type": "pay",
        "expires_at": int(attempt.deadline_at.timestamp()),
        # Stripe fills the braces in, so they must reach it unquoted.
        "success_url": success + "?session={CHECKOUT_SESSION_ID}",
        "cancel_url": settings.SITE_URL + reverse("payments:left", args=link),
    }
