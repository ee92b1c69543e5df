"""The whole main job by the API alone, paid at Stripe's side of it."""

from typing import Any

import pytest

from accounts.tests.factories import a_clerk
from accounts.tests.tokens import caller_as
from api.tests.calls import Caller, assert_problem
from orders.models import Order
from orders.tests.factories import ADDRESS
from payments.models import LedgerEntry
from payments.tests import support
from shop.models import Variant
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def variant() -> Variant:
    variant: Variant = VariantFactory(sku="EMMA-H", on_hand=5, price_minor=2_000)
    return variant


def placing(cart: dict[str, Any], email: str = "reader@example.com") -> dict[str, Any]:
    """Return the body that orders a cart."""
    return {"email": email, "shipping_address": ADDRESS, "fingerprint": cart["fingerprint"]}


def test_a_guest_pays_on_stripes_page(sandbox: Any, variant: Variant) -> None:
    guest = Caller()
    (found,) = guest.get("products/?q=product").json()["results"]
    shown = guest.get(f"products/{found['slug']}/").json()
    added = guest.post("cart/lines/", {"sku": shown["variants"][0]["sku"], "quantity": 2}).json()
    with_cart = Caller(Cart_Token=added["token"])
    cart = with_cart.get("cart/").json()
    answer = with_cart.post("checkout/", placing(cart))

    assert answer.status_code == 201
    order, session = answer.json()["order"], answer.json()["checkout_session"]
    assert order["total"] == {"amount": 4_490, "currency": "EUR", "formatted": "€44.90"}
    buyer = Caller(Order_Token=order["token"])
    assert buyer.get(f"orders/{order['number']}/").json()["phase"] == "payable"

    sandbox.pay(session["url"])
    support.hear_all(sandbox)

    assert buyer.get(f"checkout-sessions/{session['id']}/").json() == {
        "id": session["id"],
        "state": "succeeded",
        "is_settled": True,
        "order_number": order["number"],
    }
    assert buyer.get(f"orders/{order['number']}/payment/").json()["phase"] == "paid"
    assert with_cart.get("cart/").json()["lines"] == []


def test_a_user_registers_pays_an_intent_and_is_refunded(sandbox: Any, variant: Variant) -> None:
    tokens = Caller().post(
        "auth/register/", {"email": "ada@example.com", "password": "a long walk by the sea"}
    )
    assert tokens.status_code == 201
    user = Caller(Authorization=f"Bearer {tokens.json()['access_token']}")
    assert user.get("auth/me/").json()["email"] == "ada@example.com"
    cart = user.post("cart/lines/", {"sku": "EMMA-H"}).json()
    assert cart["token"] is None
    order = user.post("orders/", placing(cart, "ada@example.com")).json()
    session = user.post(f"orders/{order['number']}/checkout-session/")
    assert session.status_code == 201
    intent = user.post(f"orders/{order['number']}/payment-intent/").json()
    closed = user.get(f"checkout-sessions/{session.json()['id']}/").json()
    assert (closed["state"], closed["is_settled"]) == ("closed", True)

    support.confirm_intent(intent["id"], intent["client_secret"])
    support.hear_all(sandbox)

    assert user.get("orders/").json()["results"][0]["phase"] == "paid"
    refused = user.post(f"orders/{order['number']}/cancel/")
    problem = assert_problem(refused, 409, "not_cancelable")
    assert problem["order"]["status"] == "paid"

    clerk = caller_as(a_clerk(".*"))
    answer = clerk.post(f"admin/orders/{order['number']}/refund/", {"why": "requested_by_customer"})
    assert answer.status_code == 202, answer.content
    support.run_jobs()
    support.hear_all(sandbox)

    seen = user.get(f"orders/{order['number']}/").json()
    assert (seen["status"], seen["refunds"][0]["state"]) == ("refunded", "succeeded")
    booked = LedgerEntry.objects.exclude(kind="fee").order_by("pk")
    assert list(booked.values_list("kind", "amount_minor")) == [
        ("capture", 2_490),
        ("refund", -2_490),
    ]


def test_a_user_cancels(sandbox: Any, variant: Variant) -> None:
    added = Caller().post("cart/lines/", {"sku": "EMMA-H"}).json()
    guest = Caller(Cart_Token=added["token"])
    order = guest.post("orders/", placing(added)).json()

    answer = Caller(Order_Token=order["token"]).post(f"orders/{order['number']}/cancel/")

    assert answer.json()["status"] == "canceled"
    assert Order.objects.get().is_canceled
    variant.refresh_from_db()
    assert (variant.on_hand, variant.reserved) == (5, 0)
