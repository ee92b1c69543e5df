"""What the admin's pages show: rows of each kind, and a superuser who has passed his second step.

Runs on the demo's database, as e2e/order_states.py, after e2e/awkward.py.
"""

import time
from typing import Any
from uuid import uuid4

from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import transaction
from django.db.models import Model

from accounts.models import User
from backoffice.audit import acting
from backoffice.imports import runs
from backoffice.models import AuditEntry, ImportRun
from backoffice.services import write_note
from e2e import order_states
from e2e.second_steps import DAY, signed_in
from e2e.steps import READER
from orders import staff_services
from orders.models import Order
from payments.models import Dispute, InboxEvent, LedgerEntry, PaymentAttempt, Refund
from payments.services import refund_requests
from shop.clock import now
from shop.models import Category, Product, Variant

# Who looks; what waits for a second person was asked for by another.
BOSS = "boss@example.com"
CLERK = "clerk@example.com"


@transaction.atomic
def make() -> None:
    """Make the rows, and print the id of each behind its name; first the key of the sign-in."""
    boss = User.objects.create_superuser(BOSS)
    TOTP.activate(boss, generate_totp_secret())
    print("session", signed_in(boss, time.time() + DAY), sep="\t")
    clerk = User.objects.create_user(CLERK, is_staff=True)
    with acting(user_id=clerk.pk, how="admin:orders_order_change", address="192.0.2.1"):
        rows = _orders(clerk)
    rows |= {
        "event": _failed_event(),
        "product": Product.objects.get(slug="walden"),
        "variant": Variant.objects.filter(product__slug="walden")[0],
        "category": Category.objects.get(slug="remainders"),
        "user": User.objects.get(email=READER),
        "entry": AuditEntry.objects.latest("pk"),
        "checked": _import(boss, "checked.csv"),
        "imported": _import(boss, "imported.csv"),
    }
    runs.start(run_id=rows["imported"].pk, by=boss.pk)
    runs.go_on(run_id=rows["imported"].pk, at=now())
    for name, row in rows.items():
        print(name, row.pk, sep="\t")


def _orders(clerk: User) -> dict[str, Model]:
    """Make orders that staff deal with, and what belongs to them."""
    to_send = order_states.paid("long-title", "remainder-1")
    unpaid = order_states.declined()
    returned = order_states.partly_refunded()
    reviewed = order_states.in_review()
    asked = order_states.paid("long-title")
    disputed = order_states.paid()
    lost = order_states.paid()
    by: dict[str, Any] = {"by": clerk.pk, "at": now()}
    for _ in range(2):
        staff_services.write_note(order_id=to_send.pk, text="Rang twice. " * 20, **by)
    write_note(email=READER, text="Likes to be rung up.", key=uuid4(), **by)
    return {
        "to_send": to_send,
        "unpaid": unpaid,
        "attempt": _failed_attempt(unpaid),
        "returned": returned,
        "refund": returned.refunds.latest("pk"),
        "sent": order_states.fulfilled(),
        "reviewed": reviewed,
        "review": reviewed.reviews.get(),
        "asked": asked,
        "request": _ask_for_all(asked, **by),
        "disputed": disputed,
        "dispute": _dispute(disputed, Dispute.Status.NEEDS_RESPONSE),
        "lost": lost,
        "lost_dispute": _dispute(lost, Dispute.Status.LOST),
        "entry_of_ledger": to_send.ledger.get(),
    }


def _failed_attempt(order: Order) -> PaymentAttempt:
    return PaymentAttempt.objects.create(
        order=order,
        kind=PaymentAttempt.Kind.CHECKOUT,
        state=PaymentAttempt.State.CLOSED,
        closed_as=PaymentAttempt.ClosedAs.FAILED,
        params={"mode": "payment"},
        amount_minor=order.total_minor,
        currency=order.currency,
        session_id=f"cs_test_made_up_{order.pk}",
        created_at=order.placed_at,
        deadline_at=order.hold_until,
    )


def _ask_for_all(order: Order, **by: Any) -> Model:
    return refund_requests.ask(
        order_id=order.pk,
        charge_id=order.ledger.get().charge_id,
        amount_minor=order.total_minor,
        why=Refund.Why.REQUESTED,
        note="All of them wet",
        **by,
    )


def _dispute(order: Order, status: Dispute.Status) -> Dispute:
    charge = order.ledger.get()
    LedgerEntry.objects.create(
        order=order,
        kind=LedgerEntry.Kind.DISPUTE,
        stripe_id=f"txn_made_up_{order.pk}",
        charge_id=charge.charge_id,
        amount_minor=-charge.amount_minor,
        currency=charge.currency,
        booked_at=now(),
    )
    is_open = status in Dispute.OPEN
    return Dispute.objects.create(
        stripe_id=f"du_made_up_{order.pk}",
        order=order,
        charge_id=charge.charge_id,
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        reason="fraudulent",
        status=status,
        due_at=order.pay_until if is_open else None,
        opened_at=now(),
        closed_at=None if is_open else now(),
    )


def _import(boss: User, name: str) -> ImportRun:
    """Look a file over that has a new product, a change and a row with a problem."""
    content = (
        "sku,title,category,variant,price,stock\n"
        f"{name},A new book of {name},Fiction > New,Paperback,9.90,12\n"
        "remainder-1,,,,5.55,\n"
        f"{name}-H,A new book of {name},Fiction > New,Hardcover,dear,a few\n"
    )
    run = runs.upload(name=name, content=content.encode(), key=uuid4(), by=boss.pk, at=now())
    runs.go_on(run_id=run.pk, at=now())
    return run


def _failed_event() -> InboxEvent:
    return InboxEvent.objects.create(
        event_id="evt_made_up",
        type="checkout.session.completed",
        payload={"id": "evt_made_up", "object": "event"},
        livemode=False,
        source=InboxEvent.Source.WEBHOOK,
        state=InboxEvent.State.FAILED,
        attempts=5,
        last_error="Unreachable: no answer",
        made_at=now(),
        received_at=now(),
        finished_at=now(),
    )
