"""A request under a client's key: done once, answered alike, whoever dies in between."""

import json
import signal
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.tests.factories import UserFactory, a_clerk
from accounts.tests.tokens import caller_as
from api.idempotency import forget_old
from api.models import IdempotencyKey
from api.tasks import forget_idempotency_keys
from api.tests.calls import Caller, assert_problem
from cart.models import Cart
from orders import services as orders
from orders.models import Fulfillment, Order, Reason
from orders.tests.factories import PendingOrderFactory
from payments.models import PaymentAttempt, Refund
from payments.tests import money_back, support
from payments.tests.guests import guest_of, holder_of, placing
from payments.tests.processes import run_code
from payments.tests.threads import all_at_once
from shop.models import StockMovement, Variant
from shop.tests.factories import VariantFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_queue")]

DIE_BEFORE_ANSWERING = """
import os, signal
from api import idempotency
from api.tests.calls import Caller
idempotency._keep = lambda *answer: os.kill(os.getpid(), signal.SIGKILL)
Caller(**{headers}).post({path!r}, {body}, key="k")
"""


@pytest.fixture
def variant() -> Variant:
    variant: Variant = VariantFactory(sku="EMMA-H", on_hand=9, price_minor=2_000)
    return variant


@pytest.fixture
def cart(variant: Variant) -> Cart:
    return support.cart_with(variant)


def die_before_answering(
    environment: Mapping[str, str], client: Caller, path: str, body: object
) -> None:
    """Have a process of the shop do what is asked, and be killed before it answers."""
    headers = {name.replace("-", "_"): value for name, value in client.headers.items()}
    code = DIE_BEFORE_ANSWERING.format(headers=headers, path=path, body=body)
    assert run_code(environment, "", code) == -signal.SIGKILL


def test_the_same_request_is_answered_alike_and_done_once(sandbox: Any, cart: Cart) -> None:
    guest, body = guest_of(cart), placing(cart)
    first = guest.post("checkout/", body, key="k")
    # What changes meanwhile does not show in the answer.
    Order.objects.update(email="changed@example.com")

    again = guest.post("checkout/", body, key="k")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "Idempotent-Replayed" not in first
    assert (again["Idempotent-Replayed"], again["Content-Type"]) == ("true", "application/json")
    assert (Order.objects.count(), PaymentAttempt.objects.count()) == (1, 1)


def test_a_refusal_is_answered_alike_too(variant: Variant, cart: Cart) -> None:
    Variant.objects.update(price_minor=2_500)
    guest, body = guest_of(cart), placing(cart)
    Variant.objects.update(price_minor=3_000)
    first = guest.post("orders/", body, key="k")
    Variant.objects.update(price_minor=2_500)

    again = guest.post("orders/", body, key="k")

    problem = assert_problem(again, 409, "cart_changed")
    assert problem == first.json()
    assert problem["cart"]["total"]["amount"] == 3_490
    assert Order.objects.count() == 0
    assert guest.post("orders/", body).status_code == 201


def test_another_request_under_the_same_key_is_refused(cart: Cart) -> None:
    guest, body = guest_of(cart), placing(cart)
    order = guest.post("orders/", body, key="k").json()

    other_body = guest.post("orders/", placing(cart, email="other@example.com"), key="k")
    other_address = guest.post("checkout/", body, key="k")

    assert_problem(other_body, 422, "idempotency_key_reused")
    assert_problem(other_address, 422, "idempotency_key_reused")
    assert Order.objects.get().number == order["number"]
    assert Order.objects.get().email == "reader@example.com"


@pytest.mark.parametrize("key", [None, "", "a key", "k" * 256, "schlüssel"])
def test_a_request_without_a_sane_key_is_refused(cart: Cart, key: str | None) -> None:
    answer = guest_of(cart).post("orders/", placing(cart), key=key)

    assert_problem(answer, 400, "idempotency_key_missing")
    assert (Order.objects.count(), IdempotencyKey.objects.count()) == (0, 0)


def test_callers_do_not_meet_under_one_key(variant: Variant) -> None:
    ada, grace = UserFactory(), UserFactory()
    carts = [support.cart_with(variant, user=user) for user in (ada, grace)]
    carts.append(support.cart_with(variant))
    clients = [caller_as(ada), caller_as(grace), guest_of(carts[2])]

    answers = [
        client.post("orders/", placing(cart), key="k")
        for client, cart in zip(clients, carts, strict=True)
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert Order.objects.count() == 3


def test_of_many_at_once_one_runs_and_the_others_are_told_so(sandbox: Any, cart: Cart) -> None:
    sandbox.fault(kind="slow", path="/v1/checkout/sessions", seconds=1)
    guest, body = guest_of(cart), placing(cart)

    answers = all_at_once([partial(guest.post, "checkout/", body, key="k")] * 6)

    told = Counter((answer.status_code, answer.json().get("code")) for answer in answers)
    assert told == {(201, None): 1, (409, "idempotency_key_running"): 5}
    assert {answer["Retry-After"] for answer in answers if answer.status_code == 409} == {"1"}
    assert (Order.objects.count(), PaymentAttempt.objects.count()) == (1, 1)
    assert guest.post("checkout/", body, key="k")["Idempotent-Replayed"] == "true"


def test_what_may_pass_is_tried_anew_under_the_same_key(sandbox: Any, cart: Cart) -> None:
    guest, body = guest_of(cart), placing(cart)

    sandbox.fault(kind="refuse", path="/v1/checkout/sessions", times=1)
    away = guest.post("checkout/", body, key="k")
    sandbox.fault(kind="rate_limit", path="/v1/checkout/sessions", times=1)
    busy = guest.post("checkout/", body, key="k")
    done = guest.post("checkout/", body, key="k")

    assert_problem(away, 503, "payment_unreachable")
    assert_problem(busy, 429, "payment_busy")
    assert {away["Retry-After"], busy["Retry-After"]} == {"30"}
    assert done.status_code == 201
    assert (Order.objects.count(), PaymentAttempt.objects.count()) == (1, 1)


def test_who_dies_before_he_answers_has_placed_one_order(
    sandbox: Any, process_environment: Mapping[str, str], cart: Cart
) -> None:
    guest, body = guest_of(cart), placing(cart)
    die_before_answering(process_environment, guest, "checkout/", body)
    placed = Order.objects.get().number

    again = guest.post("checkout/", body, key="k")

    assert again.status_code == 201
    assert "Idempotent-Replayed" not in again
    assert again.json()["order"]["number"] == placed
    assert (Order.objects.count(), PaymentAttempt.objects.count()) == (1, 1)
    assert again.json()["checkout_session"]["url"] == PaymentAttempt.objects.get().url


@pytest.mark.parametrize(
    ("asked", "amount_minor"),
    [
        ({}, 4_490),
        ({"amount": 500}, 500),
        ({"lines": [{"sku": "EMMA-H", "quantity": 1}]}, 2_000),
        ({"lines": [{"sku": "EMMA-H", "quantity": 2}]}, 4_490),
    ],
)
def test_who_dies_before_he_answers_has_refunded_once(
    sandbox: Any,
    process_environment: Mapping[str, str],
    variant: Variant,
    asked: dict[str, object],
    amount_minor: int,
) -> None:
    order = money_back.paid_order(sandbox, variant, quantity=2)
    clerk = caller_as(a_clerk(".*"))
    body = asked | {"why": "requested_by_customer"}
    path = f"admin/orders/{order.number}/refund/"
    die_before_answering(process_environment, clerk, path, body)

    again = clerk.post(path, body, key="k")

    assert again.status_code == 202
    (refund,) = again.json()["all_refunds"]
    assert refund["amount"]["amount"] == Refund.objects.get().amount_minor == amount_minor


def test_who_dies_before_he_answers_has_canceled_once(
    process_environment: Mapping[str, str], variant: Variant
) -> None:
    order = PendingOrderFactory(quantities={variant: 1}, at=support.stripe_now())
    holder = holder_of(order)
    die_before_answering(process_environment, holder, f"orders/{order.number}/cancel/", {})

    again = holder.post(f"orders/{order.number}/cancel/", {}, key="k")

    assert (again.status_code, again.json()["status"]) == (200, "canceled")
    other = holder.post(f"orders/{order.number}/cancel/")
    assert_problem(other, 409, "not_cancelable")


@pytest.mark.parametrize("deed", ["cancel", "refund"])
def test_staff_who_die_before_they_answer_are_answered_as_it_went(
    process_environment: Mapping[str, str], settings: Settings, deed: str
) -> None:
    settings.SHIPPING_FLAT_MINOR = 0
    free = VariantFactory(price_minor=0)
    order = PendingOrderFactory(quantities={free: 1}, at=support.stripe_now())
    body, path = {"note": "Sold out."}, f"admin/orders/{order.number}/{deed}/"
    if deed == "refund":
        orders.mark_paid(order=order, reason=Reason.ZERO, cause="", at=support.stripe_now())
        body = {"why": "other"}
    clerk = caller_as(a_clerk(".*"))
    die_before_answering(process_environment, clerk, path, body)

    again = clerk.post(path, body, key="k")

    assert again.status_code in {200, 202}
    assert again.json()["status"] == {"cancel": "canceled", "refund": "refunded"}[deed]
    assert clerk.post(path, body).status_code == 409


def test_who_dies_before_he_answers_has_handed_over_and_moved_stock_once(
    sandbox: Any, process_environment: Mapping[str, str], variant: Variant
) -> None:
    order = money_back.paid_order(sandbox, variant, quantity=3)
    clerk = caller_as(a_clerk(".*"))
    one = {"lines": [{"sku": variant.sku, "quantity": 1}]}
    path = f"admin/orders/{order.number}/fulfill/"
    die_before_answering(process_environment, clerk, path, one)
    IdempotencyKey.objects.exclude(key="k").delete()

    again = clerk.post(path, one, key="k")

    assert again.json()["fulfillments"][0]["lines"] == one["lines"]
    assert Fulfillment.objects.count() == 1

    delivery = {"sku": variant.sku, "kind": "received", "units": 4, "reference": "DHL 7"}
    other = caller_as(a_clerk(".*"))
    die_before_answering(process_environment, other, "admin/stock-movements/", delivery)
    assert other.post("admin/stock-movements/", delivery, key="k").json()["on_hand"] == 10
    assert StockMovement.objects.filter(kind="received", reference="DHL 7").count() == 1


def test_a_key_is_forgotten_after_a_day(cart: Cart) -> None:
    guest, body = guest_of(cart), placing(cart)
    guest.post("orders/", body, key="k")
    day_ago = timezone.now() - timedelta(hours=24, seconds=1)
    IdempotencyKey.objects.update(created_at=day_ago)

    again = guest.post("orders/", body, key="k")

    assert "Idempotent-Replayed" not in again
    row = IdempotencyKey.objects.get()
    assert row.created_at > day_ago
    assert json.loads(row.body)["number"] == again.json()["number"]

    assert forget_old(at=row.created_at + timedelta(hours=25)) == 0
    IdempotencyKey.objects.update(created_at=day_ago - timedelta(hours=1))
    forget_idempotency_keys(timestamp=0)
    assert IdempotencyKey.objects.count() == 0
