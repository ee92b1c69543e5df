"""A person with a rich history, and a look into every table for what is left of him."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from allauth.account.models import EmailAddress
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from djstripe.models import WebhookEventTrigger

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.second_step import give_app, sign_in
from api.models import IdempotencyKey
from backoffice import services
from backoffice.audit import acting
from orders import staff_services
from orders.models import Order, Reason
from orders.services import Buyer
from payments.models import InboxEvent, PaymentAttempt, Refund
from payments.services import canceling, fulfilling, refund_requests
from payments.tests import money_back, support
from shop.models import Variant
from shop.tests.factories import VariantFactory

EMAIL = "ada.marker@example.com"
ADDRESS = {
    "name": "Adamarker Lovelace",
    "line1": "7 Streetmarker Lane",
    "line2": "Floormarker",
    "postal_code": "PM1 0AX",
    "city": "Citymarker",
    "region": "Regionmarker",
    "country": "GB",
}
IP = "198.51.100.77"
# On Stripe's page the sandbox's buyers are called so.
NAME_AT_STRIPE = "A. Reader"
# None of these is left anywhere. Notes of staff all have a word of their own.
TEXTS = [
    "ada.marker",
    "Adamarker",
    "Streetmarker",
    "Floormarker",
    "PM1 0AX",
    "Citymarker",
    "Regionmarker",
    "notemarker",
    IP,
    NAME_AT_STRIPE,
]


@dataclass
class Person:
    """Somebody with an account, who also ordered as a guest."""

    user: User
    orders: dict[str, Order]


def rich_history(sandbox: Any, boss: User) -> Person:
    """Return somebody of whom every table has something; all that is his is at its end."""
    user = UserFactory(email=EMAIL, name=ADDRESS["name"], password=PASSWORD)
    EmailAddress.objects.create(user=user, email=EMAIL, primary=True, verified=True)
    sign_in(Client(), user)
    give_app(user)
    # Between the two steps.
    sign_in(Client(), user)
    variant = VariantFactory(on_hand=20, price_minor=60_00)
    with acting(user_id=boss.pk, how="a test", address="192.0.2.1"):
        orders = {
            "sent": _sent(sandbox, user, variant, boss),
            "refunded": _refunded(sandbox, variant, boss),
            "canceled": _canceled(sandbox, variant, boss),
            "disputed": _disputed(sandbox, variant, boss),
        }
        _told_of(user, boss)
    _answered(orders["sent"])
    support.cart_with(variant, user=user)
    return Person(user, {name: support.reread(order) for name, order in orders.items()})


def traces(*texts: str) -> dict[str, list[str]]:
    """Return by table the texts that stand in a column of any of its rows."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            for text in texts:
                cursor.execute(
                    f'SELECT count(*) FROM "{table}" AS t WHERE strpos(lower(t::text), %s) > 0',
                    [text.lower()],
                )
                if cursor.fetchone()[0]:
                    found.setdefault(table, []).append(text)
    for session in Session.objects.all():
        inside = str(session.get_decoded()).lower()
        if named := [text for text in texts if text.lower() in inside]:
            found["django_session"] = named
    return found


def _bought(variant: Variant, user: User | None = None) -> PaymentAttempt:
    buyer = Buyer(user=user, email=EMAIL, address=dict(ADDRESS), locale="en", client_ip=IP)
    return support.checkout(support.cart_with(variant, quantity=2), buyer=buyer)


def _paid(sandbox: Any, attempt: PaymentAttempt) -> Order:
    sandbox.pay(attempt.url, email=EMAIL)
    sandbox.post("clock", advance=10)
    _hear(sandbox)
    return support.reread(attempt.order)


def _hear(sandbox: Any) -> None:
    known = set(InboxEvent.objects.values_list("event_id", flat=True))
    support.hear((new for new in reversed(sandbox.events()) if new["id"] not in known), but=())


def _sent(sandbox: Any, user: User, variant: Variant, boss: User) -> Order:
    """One unit sent, the other given back."""
    order = _paid(sandbox, _bought(variant, user))
    line, at = order.lines.get(), support.stripe_now()
    staff_services.write_note(
        order_id=order.pk, text="A notemarker: rang twice", by=boss.pk, at=at, key=uuid4()
    )
    money_back.ask(order, 60_00, quantities={line.pk: 1}, note="A notemarker", by=boss.pk)
    support.run_jobs(but=())
    _hear(sandbox)
    fulfilling.hand_over(order_id=order.pk, quantities={line.pk: 1}, by=boss.pk, at=at)
    support.run_jobs(but=())
    return order


def _refunded(sandbox: Any, variant: Variant, boss: User) -> Order:
    """All of it given back, with a second person's approval."""
    order = _paid(sandbox, _bought(variant))
    at, why = support.stripe_now(), Refund.Why.REQUESTED
    asked: dict[str, Any] = {
        "charge_id": money_back.charge_of(order),
        "amount_minor": 120_00,
        "why": why,
    }
    waits = refund_requests.ask(order_id=order.pk, by=boss.pk, at=at, note="A notemarker", **asked)
    refund_requests.approve(request_id=waits.pk, by=boss.pk + 1, at=at)
    support.run_jobs(but=())
    _hear(sandbox)
    return order


def _canceled(sandbox: Any, variant: Variant, boss: User) -> Order:
    """A card was declined, then staff called it off."""
    attempt = _bought(variant)
    sandbox.pay(attempt.url, email=EMAIL, card="4000000000000002")
    _hear(sandbox)
    canceling.cancel(
        order_id=attempt.order_id,
        reason=Reason.STAFF,
        by=boss.pk,
        note="Dear notemarker, your card was declined.",
        at=support.stripe_now(),
    )
    support.run_jobs(but=())
    _hear(sandbox)
    return attempt.order


def _disputed(sandbox: Any, variant: Variant, boss: User) -> Order:
    """Sent, disputed, and won."""
    order = _paid(sandbox, _bought(variant))
    line, at = order.lines.get(), support.stripe_now()
    fulfilling.hand_over(order_id=order.pk, quantities={line.pk: 2}, by=boss.pk, at=at)
    dispute = sandbox.dispute(money_back.intent_of(order))
    _hear(sandbox)
    sandbox.move_dispute(dispute["id"], "win")
    _hear(sandbox)
    return order


def _told_of(user: User, boss: User) -> None:
    """Notes, and what was told of him without an order."""
    services.write_note(
        email=EMAIL, text="A notemarker", by=boss.pk, key=uuid4(), at=support.stripe_now()
    )
    LogEntry.objects.log_actions(boss.pk, User.objects.filter(pk=user.pk), CHANGE, "notemarker")
    told = {"id": "evt_else", "data": {"object": {"billing_details": {"email": EMAIL.upper()}}}}
    InboxEvent.objects.create(
        event_id="evt_else",
        type="charge.succeeded",
        payload=told,
        livemode=False,
        source="webhook",
        state="ignored",
        received_at=support.stripe_now(),
        finished_at=support.stripe_now(),
    )
    WebhookEventTrigger.objects.create(remote_ip="192.0.2.9", headers={}, body=str(told))


def _answered(order: Order) -> None:
    """What a client of the API was answered, kept for a day."""
    IdempotencyKey.objects.create(
        caller="guest:1",
        key="1",
        fingerprint="1",
        created_at=support.stripe_now(),
        status=201,
        body=f'{{"number": "{order.number}", "email": "{EMAIL}"}}',
    )
