"""Erasing a person: begun in one transaction, after which a job empties what is left of traces.

What is begun stands in a row with nothing personal in it, so that a job that is killed anywhere
goes on. The books are kept: amounts, dates, SKUs and ids stay. Nothing is erased at Stripe itself.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import QuerySet
from djstripe.models import WebhookEventTrigger
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from accounts import services as accounts
from accounts.erased import address_of
from accounts.models import User
from api import idempotency
from backoffice.customers import Customer
from backoffice.models import CustomerNote, Erasure
from backoffice.services import erase_personal
from cart import services as carts
from cart.models import Cart
from orders import erasing as orders
from orders.models import Order
from payments.models import InboxEvent
from payments.services import erasing as payments
from shop.faults import fault_point

Row = TypeVar("Row")

# So many orders at a time: neither a long transaction nor a long list.
_BATCH = 100
_JOB_WITHIN = timedelta(minutes=10)
_MOST_REASONS = 10


class CannotErase(Exception):
    """Nothing was erased; `str(error)` says why in staff's words."""


def check(customer: Customer) -> None:
    """Raise CannotErase where `begin` would; exact only under the locks."""
    if customer.user:
        try:
            accounts.check_erase(customer.user)
        except accounts.CannotErase as error:
            raise CannotErase(str(error)) from error
    order_ids = _order_ids(customer)
    if not (customer.user or order_ids or _notes(customer).exists()):
        raise CannotErase(f"Nothing is known of {customer.email}.")
    reasons = payments.obstacles(order_ids=order_ids)
    waiting = _loose_events(customer, order_ids).filter(state__in=InboxEvent.UNFINISHED)
    reasons += [
        f"Event {event_id} names this address and is not processed: see the inbox."
        for event_id in waiting.values_list("event_id", flat=True)
    ]
    if reasons:
        raise CannotErase(" ".join(reasons[:_MOST_REASONS]))


@transaction.atomic
def begin(*, customer: Customer, why: str, by: User, key: UUID, at: datetime) -> Erasure:
    """Erase a person: account, orders and notes at once, the traces by a job.

    `key` is the form's: sent again, it returns what it began. Raises CannotErase, and then nothing
    was written.
    """
    if before := Erasure.objects.filter(form_key=key).first():
        return before
    if user := customer.user:
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        for cart in Cart.objects.filter(user=user).order_by("pk"):
            carts.clear(cart=cart)
    order_ids = _locked(_order_ids(customer))
    check(customer)
    erasure = Erasure.objects.create(
        user_id=user.pk if user else None,
        erased_as=address_of(user.public_id if user else uuid4()),
        order_ids=order_ids,
        inbox_ids=list(_loose_events(customer, order_ids).values_list("pk", flat=True)),
        why=why,
        by_user_id=by.pk,
        form_key=key,
        asked_at=at,
    )
    _notes(customer).delete()
    # Our own view keeps none; dj-stripe's, in an older shop, did.
    WebhookEventTrigger.objects.filter(body__icontains=customer.email).delete()
    orders.erase(order_ids=order_ids, email=erasure.erased_as)
    if user:
        accounts.erase(user=user)
        erased = User.objects.filter(pk=user.pk)
        LogEntry.objects.log_actions(by.pk, erased, CHANGE, "Personal data erased")
    # The log of what staff change has just noted what was there before.
    erase_personal(user_id=erasure.user_id, order_ids=order_ids)
    app.configure_task("backoffice.tasks.finish_erasure").defer(erasure_id=erasure.pk)
    return erasure


def finish(*, erasure_id: int, at: datetime) -> None:
    """Empty what is left: what Stripe was asked and told, copies, answers kept, sessions.

    Each step is a short transaction and may be repeated. Raises payments.StillCopied.
    """
    erasure = Erasure.objects.get(pk=erasure_id)
    if erasure.finished_at:
        return
    for order_ids in _batches(erasure.order_ids):
        with transaction.atomic():
            _locked(order_ids)
            payments.erase(order_ids=order_ids)
        payments.erase_events(order_ids=order_ids)
        fault_point("erasing:between-steps")
        with transaction.atomic():
            payments.erase_copies(order_ids=order_ids)
        numbers = Order.objects.filter(pk__in=order_ids).values_list("number", flat=True)
        idempotency.forget_answers(naming=list(numbers))
    for inbox_ids in _batches(erasure.inbox_ids):
        payments.erase_events(inbox_ids=inbox_ids)
        payments.erase_copies(inbox_ids=inbox_ids)
    if erasure.user_id is not None:
        user = User.objects.get(pk=erasure.user_id)
        idempotency.forget_answers(naming=[str(user.public_id)])
        accounts.forget_sessions(user=user)
    Erasure.objects.filter(pk=erasure_id, finished_at=None).update(finished_at=at)


def resume(*, at: datetime) -> None:
    """Queue again what was begun and whose job may be lost."""
    unfinished = Erasure.objects.filter(finished_at=None, asked_at__lt=at - _JOB_WITHIN)
    for erasure_id in unfinished.values_list("pk", flat=True):
        lock = f"erasure:{erasure_id}"
        task = app.configure_task("backoffice.tasks.finish_erasure", queueing_lock=lock)
        try:
            with transaction.atomic():
                task.defer(erasure_id=erasure_id)
        except AlreadyEnqueued:
            continue


def _order_ids(customer: Customer) -> list[int]:
    return list(customer.orders().order_by("pk").values_list("pk", flat=True))


def _notes(customer: Customer) -> QuerySet[CustomerNote]:
    return CustomerNote.objects.filter(email=customer.email)


def _loose_events(customer: Customer, order_ids: list[int]) -> QuerySet[InboxEvent]:
    return payments.events_without_order(order_ids=order_ids, email=customer.email)


def _locked(order_ids: Sequence[int]) -> list[int]:
    """Lock these orders until the transaction ends; return their ids."""
    rows = Order.objects.select_for_update(no_key=True).filter(pk__in=order_ids)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _batches(rows: list[Row]) -> Iterator[list[Row]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]
