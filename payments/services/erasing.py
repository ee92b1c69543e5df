"""Emptying what payments know of a person: what was asked of Stripe, and what Stripe told.

Amounts, dates and ids stay, as the books name them. Nothing is erased at Stripe itself.
"""

from collections.abc import Collection
from typing import Any

from django.db.models import BigIntegerField, Q, QuerySet, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from djstripe import models as mirror
from procrastinate.contrib.django.models import ProcrastinateJob

from orders.models import Order, Review, Status
from payments.models import (
    Dispute,
    InboxEvent,
    LedgerEntry,
    PaymentAttempt,
    Refund,
    RefundRequest,
)

# Of what Stripe was asked for: the buyer's address, and links that open his order.
_PERSONAL_PARAMS = {"customer_email", "success_url", "cancel_url"}


class StillCopied(Exception):
    """dj-stripe copies one of the events just now: once it has, trying again helps."""


def obstacles(*, order_ids: Collection[int]) -> list[str]:
    """Return, a sentence each, what about these orders is not at its end and needs its buyer.

    Exact only under the orders' locks.
    """
    orders = Order.objects.filter(pk__in=order_ids).order_by("pk")
    unfinished: list[tuple[QuerySet[Any], str]] = [
        (PaymentAttempt.objects.live(), "has a payment that can still be made, or is on its way"),
        (Refund.objects.unfinished(), "has a refund that is on its way"),
        (RefundRequest.objects.filter(decision=""), "has a refund that waits for approval"),
        (Review.objects.open(), "has an open review"),
        (Dispute.objects.open(), "has an open dispute"),
        (InboxEvent.objects.unfinished(), "has an unprocessed event: see the inbox"),
    ]
    found = [
        (orders.filter(status=Status.PENDING), "waits for its payment: cancel it first"),
        (orders.filter(status=Status.PAID), "is still to be handed over, or to be refunded"),
        *(
            (orders.filter(pk__in=rows.order_by().filter(order__in=order_ids).values("order")), why)
            for rows, why in unfinished
        ),
    ]
    return [
        f"Order {number} {why}."
        for those, why in found
        for number in those.values_list("number", flat=True)
    ]


def events_without_order(*, order_ids: Collection[int], email: str) -> QuerySet[InboxEvent]:
    """Return stored events that belong to no order, and yet name these payments or the address."""
    attempts = PaymentAttempt.objects.filter(order__in=order_ids)
    named = {email, *attempts.values_list("session_id", flat=True)}
    named |= set(attempts.values_list("intent_id", flat=True))
    texts = Q()
    for text in filter(None, named):
        texts |= Q(text__icontains=text)
    loose = InboxEvent.objects.filter(order=None, payload__isnull=False)
    return loose.annotate(text=Cast("payload", TextField())).filter(texts)


def erase(*, order_ids: Collection[int]) -> None:
    """Empty what attempts and refunds of these orders, locked by the caller, say of a person.

    No attempt of theirs can be repeated or paid any more. Safe to repeat.
    """
    attempts = list(PaymentAttempt.objects.filter(order__in=order_ids))
    for attempt in attempts:
        attempt.params = {
            name: value for name, value in attempt.params.items() if name not in _PERSONAL_PARAMS
        }
        attempt.url = attempt.client_secret = ""
    PaymentAttempt.objects.bulk_update(attempts, ["params", "url", "client_secret"])
    for rows in (Refund.objects, RefundRequest.objects):
        rows.filter(order__in=order_ids).exclude(note="").update(note="")


def erase_events(*, order_ids: Collection[int] = (), inbox_ids: Collection[int] = ()) -> None:
    """Empty what Stripe told of these orders, and these events; none of them is processed again.

    Their ids stay, so that none is stored anew. Safe to repeat.
    """
    told = Q(order__in=order_ids) | Q(pk__in=inbox_ids)
    events = InboxEvent.objects.filter(told, state__in=InboxEvent.FINISHED)
    events.update(payload=None, last_error="", set_aside_why="")


def erase_copies(*, order_ids: Collection[int] = (), inbox_ids: Collection[int] = ()) -> None:
    """Delete dj-stripe's copies of these orders' events and objects; nothing decides by them.

    Copies of balance transactions name nobody, and stay for the accountant. Called after
    `erase_events`, so that nothing is copied anew. Safe to repeat. Raises StillCopied.
    """
    events = InboxEvent.objects.filter(Q(order__in=order_ids) | Q(pk__in=inbox_ids))
    event_ids = dict(events.values_list("pk", "event_id"))
    running = ProcrastinateJob.objects.filter(
        task_name="payments.tasks.mirror_event", status="doing"
    ).annotate(inbox_id=Cast(KT("args__inbox_id"), BigIntegerField()))
    if running.filter(inbox_id__in=list(event_ids)).exists():
        raise StillCopied
    mirror.WebhookEventTrigger.objects.filter(event__in=event_ids.values()).delete()
    mirror.Event.objects.filter(id__in=event_ids.values()).delete()
    _erase_objects(order_ids)


def _erase_objects(order_ids: Collection[int]) -> None:
    attempts = PaymentAttempt.objects.filter(order__in=order_ids)
    captures = LedgerEntry.objects.filter(order__in=order_ids, kind=LedgerEntry.Kind.CAPTURE)
    intents = mirror.PaymentIntent.objects.filter(id__in=_ids(attempts, "intent_id"))
    sessions = mirror.Session.objects.filter(id__in=_ids(attempts, "session_id"))
    # Those of declined cards are in no book of ours.
    charges = mirror.Charge.objects.filter(
        Q(id__in=_ids(captures, "stripe_id")) | Q(payment_intent__in=_ids(attempts, "intent_id"))
    )
    customers = {
        customer for rows in (intents, sessions, charges) for customer in _ids(rows, "customer_id")
    }
    methods = {method for rows in (intents, charges) for method in _ids(rows, "payment_method_id")}
    for model, rows in ((mirror.Refund, Refund.objects), (mirror.Dispute, Dispute.objects)):
        known = _ids(rows.filter(order__in=order_ids), "stripe_id")
        model.objects.filter(id__in=known).delete()
    for copies in (charges, sessions, intents):
        copies.delete()
    used = Q(id__in=methods) | Q(customer__in=customers)
    mirror.PaymentMethod.objects.filter(used).delete()
    mirror.Customer.objects.filter(id__in=customers).delete()


def _ids(rows: Any, column: str) -> list[str]:
    """Return what stands in a column, less nothing."""
    return [value for value in rows.order_by().values_list(column, flat=True) if value]
