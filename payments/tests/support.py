"""What payment tests share: a cart to order, Stripe's events delivered as Stripe does, jobs run."""

import json
import re
from collections.abc import Iterable
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from html import unescape
from io import StringIO
from typing import Any

import pytest
import requests
import stripe
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from djstripe.models import WebhookEndpoint
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import Job

from accounts.models import User
from cart.models import Cart, CartLine
from cart.quotes import quote
from orders import links
from orders.models import Order, OrderEvent
from orders.services import Buyer
from orders.tests.factories import ADDRESS
from payments.models import Dispute, PaymentAttempt
from payments.services import placing
from payments.tracing import traced
from shop.models import Variant


def stripe_now() -> datetime:
    """Return the present to the second, as Stripe tells time."""
    return datetime.now(UTC).replace(microsecond=0)


def cart_with(*variants: Variant, quantity: int = 1, user: User | None = None) -> Cart:
    """Return a new cart with `quantity` of each variant."""
    cart = Cart.objects.create(user=user, created_at=stripe_now())
    for variant in variants:
        CartLine.objects.create(
            cart=cart,
            variant=variant,
            quantity=quantity,
            seen_price_minor=variant.price_minor,
            added_at=stripe_now(),
        )
    return cart


def a_buyer(email: str = "reader@example.com", user: User | None = None) -> Buyer:
    return Buyer(user=user, email=email, address=dict(ADDRESS), locale="en", client_ip="192.0.2.1")


def checkout(
    cart: Cart, *, buyer: Buyer | None = None, at: datetime | None = None
) -> PaymentAttempt:
    """Place the cart at the price of this moment, and return the attempt that is open for it."""
    started = placing.start_checkout(
        cart=cart,
        buyer=buyer or a_buyer(),
        fingerprint=quote(cart).fingerprint,
        at=at or stripe_now(),
    )
    assert started.attempt, f"{started.order} costs nothing"
    return started.attempt


def deliver(event: dict[str, Any], *, client: Client | None = None) -> int:
    """Post an event to the shop's endpoint, signed as Stripe signs; return the answer's status.

    Each new client reads the list of static files, which one that is given does once.
    """
    endpoint = WebhookEndpoint.objects.first() or endpoint_row()
    body = json.dumps(event)
    answer = (client or Client()).post(
        reverse("djstripe:djstripe_webhook_by_uuid", args=[endpoint.djstripe_uuid]),
        data=body,
        content_type="application/json",
        headers={"Stripe-Signature": signature(body)},
    )
    return answer.status_code


def hear(events: Iterable[dict[str, Any]], *, but: tuple[str, ...] = ("mirror_event",)) -> None:
    """Deliver the events, and run what they lead to but the jobs named in `but`."""
    client = Client()
    for event in events:
        assert deliver(event, client=client) == 200
    run_jobs(but=but)


def hear_all(sandbox: Any) -> None:
    """Deliver all that Stripe has to tell, in the order in which it happened."""
    hear(reversed(sandbox.events()))


def pay_and_hear(sandbox: Any, attempt: PaymentAttempt, **form: str) -> None:
    """Pay on Stripe's page, with what `form` says otherwise, and hear of it."""
    sandbox.pay(attempt.url, **form)
    hear_all(sandbox)


def endpoint_row() -> WebhookEndpoint:
    """Return dj-stripe's row of the shop's endpoint, provisioned by the command."""
    call_command("provision_webhook", stdout=StringIO(), stderr=StringIO())
    return WebhookEndpoint.objects.get()


def signature(body: str, secret: str | None = None) -> str:
    """Return the Stripe-Signature header that goes with `body`."""
    header: str = stripe.WebhookSignature.generate_signature_header(
        body, secret or settings.STRIPE_WEBHOOK_SECRET
    )
    return header


def run_jobs(*, but: tuple[str, ...] = ("mirror_event",)) -> None:
    """Run the queued jobs, and those that they queue, until none is left but those named in `but`.

    A job that fails raises here: nothing is retried behind a test's back.
    """
    while row := _next_job(but):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [row.pk])
        copy_context().run(run_job, row)


def run_job(row: ProcrastinateJob) -> None:
    """Run a job as a worker does, and leave its row alone."""
    task = app.tasks[row.task_name]
    job = Job(
        id=row.pk,
        queue=row.queue_name,
        lock=None,
        queueing_lock=None,
        task_name=row.task_name,
        task_kwargs=row.args,
        attempts=row.attempts,
    )
    context = JobContext(app=app, job=job, start_timestamp=0.0, abort_reason=lambda: None)
    with traced(job):
        task.func(*[context] if task.pass_context else [], **job.task_kwargs)


def _next_job(but: tuple[str, ...]) -> ProcrastinateJob | None:
    waiting = ProcrastinateJob.objects.filter(status="todo").order_by("pk")
    for name in but:
        waiting = waiting.exclude(task_name__endswith=f".{name}")
    return waiting.first()


def stripe_get(path: str) -> Any:
    """Ask Stripe itself, past our gateway."""
    answer = requests.get(
        f"{settings.STRIPE_API_HOST}/v1/{path}",
        headers={"Authorization": f"Bearer {settings.STRIPE_SECRET_KEY}"},
        timeout=10,
    )
    answer.raise_for_status()
    return answer.json()


def stripe_post(path: str, **form: str) -> Any:
    """Have Stripe do something, past our gateway."""
    answer = requests.post(
        f"{settings.STRIPE_API_HOST}/v1/{path}",
        data=form,
        headers={"Authorization": f"Bearer {settings.STRIPE_SECRET_KEY}"},
        timeout=10,
    )
    answer.raise_for_status()
    return answer.json()


def confirm_intent(intent_id: str, client_secret: str, method: str = "pm_card_visa") -> Any:
    """Pay an intent as the buyer's client does, by its secret; return what Stripe answers."""
    return requests.post(
        f"{settings.STRIPE_API_HOST}/v1/payment_intents/{intent_id}/confirm",
        data={
            "payment_method": method,
            "return_url": "https://app.example/paid",
            "client_secret": client_secret,
        },
        headers={"Authorization": f"Bearer {settings.STRIPE_PUBLISHABLE_KEY}"},
        timeout=10,
    ).json()


def stripe_calls(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return every request to Stripe that its library has logged, as "GET /v1/charges"."""
    found = (re.search(r"method=(\w+) .*url=\S+?(/v1/[^?\s]+)", line) for line in caplog.messages)
    return [f"{call[1].upper()} {call[2]}" for call in found if call]


def all_events() -> list[dict[str, Any]]:
    """Return every event that Stripe knows, page by page, newest first."""
    events: list[dict[str, Any]] = []
    has_more = True
    while has_more:
        after = f"&starting_after={events[-1]['id']}" if events else ""
        page = stripe_get(f"events?limit=100{after}")
        events += page["data"]
        has_more = page["has_more"]
    return events


def attempt_row(order: Order, **fields: Any) -> PaymentAttempt:
    """Return an attempt to pay for the order, of which Stripe knows nothing."""
    return PaymentAttempt.objects.create(
        **{
            "order": order,
            "kind": "checkout",
            "params": {},
            "amount_minor": order.total_minor,
            "currency": order.currency,
            "created_at": order.placed_at,
            "deadline_at": order.placed_at + timedelta(minutes=45),
        }
        | fields
    )


def dispute_row(order: Order, stripe_id: str, **fields: Any) -> Dispute:
    """Return a dispute of a charge of the order, open unless told otherwise."""
    return Dispute.objects.create(
        **{
            "order": order,
            "stripe_id": stripe_id,
            "charge_id": "ch_1",
            "amount_minor": 100,
            "currency": order.currency,
            "reason": "fraudulent",
            "status": "needs_response",
            "opened_at": order.placed_at,
        }
        | fields
    )


def text_of_page(order: Order) -> str:
    """Return what whoever holds the order's link reads on its page."""
    page = unescape(Client().get(links.path(order)).content.decode())
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<main") :]).split())


def last_event(order: Order) -> OrderEvent:
    """Return the latest entry of the order's story."""
    return order.events.order_by("pk").reverse()[0]


def reread(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)
