"""Ordering by the form of the checkout page: what is placed, refused, and where it leads."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.tests.factories import UserFactory
from orders.models import Order, Status
from orders.tests.factories import ADDRESS
from payments.models import PaymentAttempt
from payments.tests import support
from payments.tests.browsing import checkout_form, order_by_form, visitor
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def test_the_checkout_sends_the_buyer_to_stripes_page_with_303(sandbox: Any) -> None:
    client = visitor(support.cart_with(VariantFactory()))

    answer = order_by_form(client)

    assert (answer.status_code, answer["Location"]) == (303, PaymentAttempt.objects.get().url)
    order = Order.objects.get()
    assert (order.email, order.shipping_address) == ("reader@example.com", ADDRESS)
    assert order.client_ip == "127.0.0.1"


@pytest.mark.parametrize(
    "email",
    [
        pytest.param("reader@localhost", id="one that Stripe refuses"),
        pytest.param("reader@" + ".".join(["x" * 60] * 5), id="one longer than the column"),
    ],
)
def test_an_address_that_cannot_be_used_is_said_beside_it_and_another_one_pays(
    sandbox: Any, email: str
) -> None:
    client = visitor(support.cart_with(VariantFactory()))

    refused = order_by_form(client, email=email)
    accepted = order_by_form(client)

    assert refused.status_code == 422
    assert re.findall(r'id="id_(\w+)_error"', refused.content.decode()) == ["email"]
    assert accepted.status_code == 303
    assert Order.objects.pending().get().email == "reader@example.com"


def test_what_was_typed_once_need_not_be_typed_again(sandbox: Any) -> None:
    client = visitor(support.cart_with(VariantFactory()))
    order_by_form(client)

    page = client.get("/checkout/").content.decode()

    for value in ("reader@example.com", "Ada Reader", "1 Long Lane", "10115", "Berlin"):
        assert f'value="{value}"' in page
    assert '<option value="DE" selected>' in page


def test_a_missing_field_is_said_beside_it_and_nothing_is_placed(sandbox: Any) -> None:
    client = visitor(support.cart_with(VariantFactory()))

    answer = order_by_form(client, city="", email="nonsense", country="XX")

    assert answer.status_code == 422
    page = answer.content.decode()
    for field in ("city", "email", "country"):
        assert f'id="id_{field}_error"' in page
        assert f"id_{field}_error" in re.findall(rf'name="{field}"[^>]*', page)[0]
    assert Order.objects.count() == 0


def test_a_price_that_changed_is_shown_and_the_next_try_goes_through(sandbox: Any) -> None:
    variant = VariantFactory(price_minor=1_000)
    client = visitor(support.cart_with(variant))
    form = checkout_form(client)
    type(variant).objects.update(price_minor=1_500)

    refused = client.post("/checkout/", form)

    assert refused.status_code == 409
    assert "€19.90" in refused.content.decode()
    assert Order.objects.count() == 0
    assert order_by_form(client).status_code == 303


@pytest.mark.parametrize("forged", ["", "abc", "abc:def", "x" * 300])
def test_a_forged_fingerprint_places_nothing(sandbox: Any, forged: str) -> None:
    client = visitor(support.cart_with(VariantFactory()))

    assert order_by_form(client, fingerprint=forged).status_code in {409, 422}

    assert Order.objects.count() == 0


def test_a_shortage_names_the_book_and_how_many_are_left(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=2, product__title="Emma")
    client = visitor(support.cart_with(variant, quantity=3))

    answer = order_by_form(client)

    assert answer.status_code == 409
    assert "Of “Emma” (Paperback) we have only 2." in answer.content.decode()
    assert Order.objects.count() == 0


def test_an_empty_cart_leads_back_to_the_cart() -> None:
    assert Client().get("/checkout/")["Location"] == "/cart/"
    assert visitor(support.cart_with()).get("/checkout/")["Location"] == "/cart/"


def test_the_checkout_form_needs_its_token(sandbox: Any) -> None:
    client = visitor(support.cart_with(VariantFactory()), enforce_csrf_checks=True)

    assert order_by_form(client).status_code == 403

    assert Order.objects.count() == 0


def test_placing_is_limited(sandbox: Any, settings: Any) -> None:
    client = visitor(support.cart_with(VariantFactory()))
    form = checkout_form(client, city="")

    answers = [client.post("/checkout/", form).status_code for _ in range(21)]

    assert answers == [422] * 20 + [429]


def test_the_policy_lets_forms_lead_to_stripe_and_nothing_run_inline(sandbox: Any) -> None:
    client = visitor(support.cart_with(VariantFactory()))

    policy = dict(
        part.strip().partition(" ")[::2]
        for part in client.get("/checkout/")["Content-Security-Policy"].split(";")
    )

    assert policy["form-action"] == f"'self' https://checkout.stripe.com {settings.STRIPE_API_HOST}"
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in " ".join(policy.values())


def test_a_guest_who_signs_in_between_placing_and_paying_orders_everything_once(
    sandbox: Any,
) -> None:
    user = UserFactory(password="long-enough-7")
    guests, users = VariantFactory(on_hand=1), VariantFactory(on_hand=1)
    own = support.cart_with(users, user=user)
    support.checkout(own, buyer=support.a_buyer(user=user))
    cart = support.cart_with(guests)
    support.checkout(cart, buyer=support.a_buyer(email="guest@example.com"))
    client = visitor(cart)
    client.post("/accounts/login/", {"login": user.email, "password": "long-enough-7"})

    answer = order_by_form(client)

    assert answer.status_code == 303
    order = Order.objects.pending().get()
    assert {line.variant_id for line in order.lines.all()} == {guests.pk, users.pk}
    assert Order.objects.filter(status=Status.CANCELED).count() == 2
    for variant in (guests, users):
        variant.refresh_from_db()
        assert variant.reserved == 1
    open_sessions = [
        s for s in support.stripe_get("checkout/sessions")["data"] if s["status"] == "open"
    ]
    assert [s["client_reference_id"] for s in open_sessions] == [order.number]


def test_deadlines_are_those_of_the_design(sandbox: Any) -> None:
    at = support.stripe_now()

    attempt = support.checkout(support.cart_with(VariantFactory()), at=at)

    assert attempt.deadline_at == at + timedelta(minutes=45)
    assert attempt.order.hold_until == at + timedelta(minutes=60)
    assert attempt.order.pay_until == at + timedelta(hours=24)
