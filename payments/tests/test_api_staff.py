"""Orders and Stripe's events for staff, as JSON: what the admin's buttons do."""

from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accounts.tests.factories import UserFactory
from accounts.tests.tokens import caller_as
from api.tests.calls import Caller, assert_problem, fields_of
from cart.quotes import quote
from orders.models import Order, Review
from orders.tests.factories import PendingOrderFactory
from payments.models import InboxEvent, Refund
from payments.services import placing
from payments.tests import money_back, support
from shop.clock import now
from shop.models import Variant
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def variant() -> Variant:
    variant: Variant = VariantFactory(sku="EMMA-H", on_hand=9, price_minor=2_000)
    return variant


@pytest.fixture
def clerk(boss: User) -> Caller:
    return caller_as(boss)


def numbers(clerk: Caller, query: str = "") -> list[str]:
    """Return the numbers of the orders that a question finds."""
    answer = clerk.get(f"admin/orders/{query}")
    assert answer.status_code == 200, answer.content
    return [order["number"] for order in answer.json()["results"]]


def event(name: str, **fields: Any) -> InboxEvent:
    return InboxEvent.objects.create(
        **{
            "event_id": name,
            "type": "charge.updated",
            "payload": {"data": "secret"},
            "livemode": False,
            "source": InboxEvent.Source.WEBHOOK,
            "received_at": now(),
        }
        | fields
    )


def test_orders_are_found_by_what_is_known_of_them(clerk: Caller) -> None:
    at = now().replace(microsecond=0)
    user = UserFactory()
    old = PendingOrderFactory(email="ada@example.com", at=at - timedelta(days=2), user=user)
    new = PendingOrderFactory(email="grace@example.com", at=at)
    Order.objects.filter(pk=old.pk).update(status="canceled")
    Review.objects.create(order=new, reason="late", cause="ch_1", opened_at=at)
    support.dispute_row(old, "du_1")
    since = (at - timedelta(days=1)).isoformat().replace("+00:00", "Z")

    assert numbers(clerk) == [new.number, old.number]
    assert numbers(clerk, "?search=ADA@") == [old.number]
    assert numbers(clerk, f"?search={new.number[:6].lower()}") == [new.number]
    assert numbers(clerk, "?status=canceled") == [old.number]
    assert numbers(clerk, "?is_in_review=true") == [new.number]
    assert numbers(clerk, "?is_disputed=true") == [old.number]
    assert numbers(clerk, f"?placed_from={since}") == [new.number]
    assert numbers(clerk, f"?placed_before={since}") == [old.number]
    (row,) = clerk.get("admin/orders/?status=canceled").json()["results"]
    assert (row["user"], row["is_disputed"], row["is_in_review"]) == (
        str(user.public_id),
        True,
        False,
    )


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("status=lost", "status", "invalid_choice"),
        ("placed_from=yesterday", "placed_from", "invalid"),
        ("is_disputed=2", "is_disputed", "invalid"),
        ("search=%00", "search", "null_characters_not_allowed"),
    ],
)
def test_a_question_that_makes_no_sense(clerk: Caller, query: str, field: str, code: str) -> None:
    problem = assert_problem(clerk.get(f"admin/orders/?{query}"), 422, "invalid")

    assert fields_of(problem) == {field: code}


def test_lists_lead_on_page_by_page_at_the_same_cost(
    clerk: Caller, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    placed = [PendingOrderFactory(user=UserFactory()).number for _ in range(5)]

    with django_assert_num_queries(3):
        first = clerk.get("admin/orders/?page_size=2").json()
    second = clerk.get(f"admin/orders/?{first['next'].partition('?')[2]}").json()

    assert [order["number"] for order in first["results"] + second["results"]] == placed[:0:-1]
    assert first["previous"] is None


@pytest.mark.parametrize("position", ["abc", "\x00", "9" * 40, "2020-13-45"])
def test_a_cursor_that_was_made_up_is_404(clerk: Caller, position: str) -> None:
    cursor = quote_plus(b64encode(urlencode({"p": position}).encode()).decode())
    PendingOrderFactory()

    for path in ("orders", "users", "events", "products", "stock-movements"):
        answer = clerk.get(f"admin/{path}/?cursor={cursor}")
        assert answer.status_code in {200, 404}, answer.content


def test_an_order_shows_its_books_but_no_link_of_its_buyers(
    sandbox: Any, clerk: Caller, variant: Variant
) -> None:
    order = money_back.paid_order(sandbox, variant)

    shown = clerk.get(f"admin/orders/{order.number}/").json()

    charge = money_back.charge_of(order)
    assert shown["refundable"] == [
        {
            "charge_id": charge,
            "amount": {"amount": 2_490, "currency": "EUR", "formatted": "€24.90"},
        }
    ]
    assert (shown["ledger"][0]["kind"], shown["ledger"][0]["amount"]["amount"]) == (
        "capture",
        2_490,
    )
    assert shown["attempts"][0]["intent_id"] == money_back.intent_of(order)
    assert not {"url", "token"} & set(shown)
    assert "secret" not in str(shown)


def test_all_that_is_left_goes_back_with_its_units(
    sandbox: Any, clerk: Caller, variant: Variant
) -> None:
    order = money_back.paid_order(sandbox, variant, quantity=2)
    asked = {"why": "requested_by_customer", "restock": True, "note": "Sent back."}

    answer = clerk.post(f"admin/orders/{order.number}/refund/", asked)

    assert answer.status_code == 202
    (refund,) = answer.json()["all_refunds"]
    assert (refund["amount"]["amount"], refund["state"], refund["note"]) == (
        4_490,
        "created",
        "Sent back.",
    )
    assert refund["lines"] == [{"sku": "EMMA-H", "quantity": 2, "handed_over": 0}]
    support.run_jobs()
    shown = clerk.get(f"admin/orders/{order.number}/").json()
    assert (shown["status"], shown["refundable"][0]["amount"]["amount"]) == ("refunded", 0)
    variant.refresh_from_db()
    assert variant.on_hand == 9


def test_units_go_back_at_their_price_and_an_amount_takes_none_along(
    sandbox: Any, clerk: Caller, variant: Variant
) -> None:
    order = money_back.paid_order(sandbox, variant, quantity=3)
    path = f"admin/orders/{order.number}/refund/"
    why = {"why": "requested_by_customer"}

    units = clerk.post(path, why | {"lines": [{"sku": "EMMA-H", "quantity": 1}]})
    amount = clerk.post(path, why | {"amount": 100})

    assert (units.status_code, amount.status_code) == (202, 202)
    rows = Refund.objects.order_by("pk")
    assert [row.amount_minor for row in rows] == [2_000, 100]
    assert [row.lines.count() for row in rows] == [1, 0]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "why"),
        ({"why": "late"}, "why"),
        ({"why": "other", "amount": 0}, "amount"),
        ({"why": "other", "lines": []}, "lines"),
        ({"why": "other", "lines": [{"sku": "EMMA-H", "quantity": 1}], "amount": 1}, ""),
        ({"why": "other", "lines": [{"sku": "NOTHING", "quantity": 1}]}, "lines.0.sku"),
        ({"why": "other", "lines": [{"sku": "EMMA-H", "quantity": 0}]}, "lines.0.quantity"),
        ({"why": "other", "lines": [{"sku": "EMMA-H", "quantity": 1}] * 2}, "lines.1.sku"),
    ],
)
def test_a_refund_that_makes_no_sense_is_told_beside_its_field(
    sandbox: Any, clerk: Caller, variant: Variant, asked: object, field: str
) -> None:
    order = money_back.paid_order(sandbox, variant)

    answer = clerk.post(f"admin/orders/{order.number}/refund/", asked)

    assert list(fields_of(assert_problem(answer, 422, "invalid"))) == [field]
    assert Refund.objects.count() == 0


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"amount": 2_491}, "Of this payment €24.90 can still be refunded."),
        ({"charge_id": "ch_other"}, "This order has no such payment."),
        ({"lines": [{"sku": "EMMA-H", "quantity": 2}]}, "can still be refunded."),
    ],
)
def test_what_is_not_left_is_not_given_back(
    sandbox: Any, clerk: Caller, variant: Variant, asked: dict[str, object], words: str
) -> None:
    order = money_back.paid_order(sandbox, variant)

    answer = clerk.post(f"admin/orders/{order.number}/refund/", asked | {"why": "other"})

    assert words in assert_problem(answer, 409, "not_refundable")["detail"]
    assert Refund.objects.count() == 0


def test_an_order_that_cost_nothing_is_called_off(clerk: Caller, settings: Any) -> None:
    settings.SHIPPING_FLAT_MINOR = 0
    variant = VariantFactory(price_minor=0, on_hand=1)
    cart = support.cart_with(variant)
    started = placing.start_checkout(
        cart=cart,
        buyer=support.a_buyer(),
        fingerprint=quote(cart).fingerprint,
        at=support.stripe_now(),
    )

    path = f"admin/orders/{started.order.number}/refund/"
    part = clerk.post(path, {"why": "other", "amount": 5})
    answer = clerk.post(path, {"why": "other"})

    assert fields_of(assert_problem(part, 422, "invalid")) == {"amount": "invalid"}
    assert (answer.status_code, answer.json()["status"]) == (202, "refunded")
    again = clerk.post(f"admin/orders/{started.order.number}/refund/", {"why": "other"})
    assert_problem(again, 409, "not_refundable")
    variant.refresh_from_db()
    assert variant.on_hand == 1


def test_units_are_handed_over_until_the_order_is_fulfilled(
    sandbox: Any, clerk: Caller, variant: Variant
) -> None:
    order = money_back.paid_order(sandbox, variant, quantity=3)
    path = f"admin/orders/{order.number}/fulfill/"

    some = clerk.post(path, {"lines": [{"sku": "EMMA-H", "quantity": 1}]})
    too_many = clerk.post(path, {"lines": [{"sku": "EMMA-H", "quantity": 3}]})
    rest = clerk.post(path)
    again = clerk.post(path)

    assert (some.json()["status"], rest.json()["status"]) == ("paid", "fulfilled")
    assert [row["lines"][0]["quantity"] for row in rest.json()["fulfillments"]] == [1, 2]
    assert_problem(too_many, 409, "not_fulfillable")
    assert_problem(again, 409, "not_fulfillable")


def test_an_unpaid_order_is_canceled_for_a_reason_that_its_buyer_reads(clerk: Caller) -> None:
    order = PendingOrderFactory(at=now())
    path = f"admin/orders/{order.number}/cancel/"

    assert_problem(clerk.post(path, {"note": " "}), 422, "invalid")
    answer = clerk.post(path, {"note": "Sold out."})

    assert (answer.json()["status"], answer.json()["cancel_note"]) == ("canceled", "Sold out.")
    problem = assert_problem(clerk.post(path, {"note": "Again."}), 409, "not_cancelable")
    assert problem["detail"] == "This order is canceled already."
    assert "order" not in problem


def test_events_are_found_and_failed_ones_run_again(clerk: Caller) -> None:
    order = PendingOrderFactory()
    failed = event("evt_1", state="failed", last_error="Refused: no", order=order)
    event("evt_2", type="refund.updated", state="done")

    def ids(query: str) -> list[str]:
        return [row["id"] for row in clerk.get(f"admin/events/{query}").json()["results"]]

    assert ids("") == ["evt_2", "evt_1"]
    assert ids("?state=failed") == ids("?type=charge.updated") == ["evt_1"]
    assert ids(f"?order={order.number}") == ["evt_1"]
    (row,) = clerk.get("admin/events/?state=failed").json()["results"]
    assert (row["last_error"], row["order_number"]) == ("Refused: no", order.number)
    assert "secret" not in str(row)
    answer = clerk.post("admin/events/evt_1/retry/")
    assert (answer.status_code, answer.json()["state"]) == (202, "received")
    failed.refresh_from_db()
    assert failed.state == "received"
    assert_problem(clerk.post("admin/events/evt_1/retry/"), 409, "not_retryable")
    assert_problem(clerk.post("admin/events/evt_9/retry/"), 404, "not_found")
