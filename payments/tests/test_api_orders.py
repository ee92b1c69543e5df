"""Orders and their payments as JSON: what stands in the way is said with the facts as they are."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.tests.factories import UserFactory
from accounts.tests.tokens import caller_as
from api.tests.calls import Caller, assert_problem, fields_of
from cart.models import Cart
from orders import links
from orders.models import Order
from orders.tests.factories import ADDRESS, PendingOrderFactory
from payments.models import PaymentAttempt
from payments.services import attempts
from payments.tests import money_back, support
from payments.tests.browsing import order_by_form, visitor
from payments.tests.guests import guest_of, holder_of, placing
from shop.clock import now
from shop.models import Variant
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def variant() -> Variant:
    variant: Variant = VariantFactory(sku="EMMA-H", on_hand=5, price_minor=2_000)
    return variant


@pytest.fixture
def cart(variant: Variant) -> Cart:
    return support.cart_with(variant)


def test_placing_freezes_what_was_agreed_to(cart: Cart) -> None:
    answer = guest_of(cart).post("orders/", placing(cart))

    assert answer.status_code == 201
    order = Order.objects.get()
    body = answer.json()
    assert body.pop("placed_at") == order.placed_at.isoformat().replace("+00:00", "Z")
    assert body.pop("pay_by") == order.pay_by.isoformat().replace("+00:00", "Z")
    (entry,) = body.pop("story")
    assert (entry["reason"], entry["status"], entry["words"]) == (
        "placed",
        "pending",
        "Order placed",
    )
    euro = {"amount": 2_000, "currency": "EUR", "formatted": "€20.00"}
    zero = {"amount": 0, "currency": "EUR", "formatted": "€0.00"}
    assert body == {
        "number": order.number,
        "status": "pending",
        "phase": "payable",
        "email": "reader@example.com",
        "url": f"http://testserver{links.path(order)}",
        "lines": [
            {
                "sku": "EMMA-H",
                "title": order.lines.get().title,
                "quantity": 1,
                "unit_price": euro,
                "subtotal": euro,
                "discount": zero,
            }
        ],
        "subtotal": euro,
        "discount": zero,
        "shipping": {"amount": 490, "currency": "EUR", "formatted": "€4.90"},
        "tax": zero,
        "total": {"amount": 2_490, "currency": "EUR", "formatted": "€24.90"},
        "tax_included": zero,
        "shipping_address": ADDRESS,
        "billing_address": None,
        "cancel_note": "",
        "fulfillments": [],
        "refunds": [],
        "token": links.sign(order.number),
    }
    assert order.attempts.count() == 0


def test_placing_again_returns_the_order_that_stands_and_a_change_replaces_it(cart: Cart) -> None:
    guest = guest_of(cart)
    first = guest.post("orders/", placing(cart)).json()

    same = guest.post("orders/", placing(cart)).json()
    other = guest.post("orders/", placing(cart, email="other@example.com")).json()

    assert same["number"] == first["number"]
    assert other["number"] != first["number"]
    assert sorted(Order.objects.values_list("status", flat=True)) == ["canceled", "pending"]


def test_page_and_api_place_the_same_order(sandbox: Any, cart: Cart) -> None:
    order_by_form(visitor(cart))

    answer = guest_of(cart).post("orders/", placing(cart))

    assert answer.status_code == 201
    assert answer.json()["number"] == Order.objects.get().number


def test_a_price_that_changed_places_nothing_and_shows_the_new_figures(cart: Cart) -> None:
    body = placing(cart)
    Variant.objects.update(price_minor=2_100)

    problem = assert_problem(guest_of(cart).post("orders/", body), 409, "cart_changed")

    assert problem["cart"]["total"]["amount"] == 2_590
    assert Order.objects.count() == 0
    agreed = body | {"fingerprint": problem["cart"]["fingerprint"]}
    assert guest_of(cart).post("orders/", agreed).status_code == 201


def test_a_shortage_places_nothing_and_shows_what_is_left(variant: Variant) -> None:
    cart = support.cart_with(variant, quantity=6)

    problem = assert_problem(guest_of(cart).post("checkout/", placing(cart)), 409, "stock_short")

    (line,) = problem["cart"]["lines"]
    assert (line["sku"], line["quantity"], line["free"], line["is_short"]) == ("EMMA-H", 6, 5, True)
    assert (Order.objects.count(), PaymentAttempt.objects.count()) == (0, 0)


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_an_empty_cart_places_nothing(token: str) -> None:
    body = {"email": "a@example.com", "shipping_address": ADDRESS, "fingerprint": "x"}

    for path in ("orders/", "checkout/"):
        answer = Caller(Cart_Token=token).post(path, body)
        problem = assert_problem(answer, 422, "not_placeable")
        assert problem["detail"] == "Your cart is empty."


def test_too_many_unpaid_orders_are_refused_as_on_the_page(
    variant: Variant, cart: Cart, settings: Settings
) -> None:
    settings.PENDING_LIMIT_PER_BUYER = 1
    PendingOrderFactory(quantities={variant: 1}, at=now())

    problem = assert_problem(guest_of(cart).post("orders/", placing(cart)), 422, "not_placeable")

    assert problem["detail"].startswith("You have too many unpaid orders.")
    assert Order.objects.count() == 1


def test_what_is_missing_or_wrong_is_told_beside_its_field(cart: Cart) -> None:
    address = ADDRESS | {"city": "", "country": "XX", "line1": "a" * 101}
    del address["name"]
    body = placing(cart, email="nobody", shipping_address=address)

    problem = assert_problem(guest_of(cart).post("orders/", body), 422, "invalid")

    assert fields_of(problem) == {
        "email": "invalid",
        "shipping_address.name": "required",
        "shipping_address.city": "blank",
        "shipping_address.line1": "max_length",
        "shipping_address.country": "invalid_choice",
    }
    words = {error["field"]: error["message"] for error in problem["errors"]}
    assert words["shipping_address.city"] == "Enter the city."
    assert words["shipping_address.country"].startswith("We do not ship there")
    assert Order.objects.count() == 0


def test_an_address_that_stripe_does_not_take_is_told_beside_it(sandbox: Any, cart: Cart) -> None:
    guest, body = guest_of(cart), placing(cart, email="reader@localhost")

    together = guest.post("checkout/", body)
    order = guest.post("orders/", body).json()
    path = f"orders/{order['number']}/checkout-session/"
    apart = Caller(Order_Token=order["token"]).post(path)

    for answer in (together, apart):
        assert fields_of(assert_problem(answer, 422, "invalid")) == {"email": "invalid"}
    assert guest.post("checkout/", placing(cart)).status_code == 201


def test_an_order_that_costs_nothing_is_paid_at_once(settings: Settings) -> None:
    settings.SHIPPING_FLAT_MINOR = 0
    cart = support.cart_with(VariantFactory(price_minor=0))

    answer = guest_of(cart).post("checkout/", placing(cart))

    assert answer.status_code == 201
    assert answer.json()["checkout_session"] is None
    assert answer.json()["order"]["status"] == "paid"


def test_sent_again_after_the_payment_it_leads_to_the_order(sandbox: Any, cart: Cart) -> None:
    guest, body = guest_of(cart), placing(cart)
    first = guest.post("checkout/", body).json()
    sandbox.pay(first["checkout_session"]["url"])
    support.hear_all(sandbox)

    again = guest.post("checkout/", body)

    assert (again.status_code, again.json()["checkout_session"]) == (200, None)
    assert again.json()["order"]["number"] == first["order"]["number"]
    assert guest.post("orders/", body).status_code == 200
    assert Order.objects.count() == 1


def test_a_paid_order_takes_no_payment(sandbox: Any, variant: Variant) -> None:
    order = money_back.paid_order(sandbox, variant)

    for path in ("checkout-session", "payment-intent"):
        answer = holder_of(order).post(f"orders/{order.number}/{path}/")
        problem = assert_problem(answer, 409, "not_payable")
        assert (problem["order"]["number"], problem["order"]["status"]) == (order.number, "paid")
    assert order.attempts.count() == 1


def test_one_flow_closes_the_other_at_stripe(sandbox: Any, cart: Cart) -> None:
    order = Order.objects.get(number=guest_of(cart).post("orders/", placing(cart)).json()["number"])
    holder = holder_of(order)

    session = holder.post(f"orders/{order.number}/checkout-session/").json()
    intent = holder.post(f"orders/{order.number}/payment-intent/").json()
    same = holder.post(f"orders/{order.number}/payment-intent/").json()

    assert intent == same
    assert intent["client_secret"].startswith(f"{intent['id']}_secret_")
    assert intent["publishable_key"].startswith("pk_test_")
    assert intent["amount"]["amount"] == 2_490
    assert support.stripe_get(f"checkout/sessions/{session['id']}")["status"] == "expired"
    status = holder.get(f"orders/{order.number}/payment/").json()
    assert (status["phase"], status["is_payable"], status["was_charged"]) == (
        "payable",
        True,
        False,
    )
    assert (status["last_attempt"]["kind"], status["last_attempt"]["state"]) == ("intent", "open")


def test_the_secret_of_an_intent_is_its_buyers_alone(sandbox: Any, boss: Any) -> None:
    user = UserFactory()
    order = PendingOrderFactory(user=user, at=support.stripe_now())
    intent = caller_as(user).post(f"orders/{order.number}/payment-intent/").json()
    staff = caller_as(boss)

    for path in (f"admin/orders/{order.number}/", f"orders/{order.number}/payment/"):
        assert intent["client_secret"] not in staff.get(path).content.decode()
    refused = staff.post(f"orders/{order.number}/payment-intent/")
    assert_problem(refused, 404, "not_found")
    for answer in (
        caller_as(user).get(f"orders/{order.number}/"),
        caller_as(user).get(f"orders/{order.number}/payment/"),
    ):
        assert intent["client_secret"] not in answer.content.decode()


def test_verifying_never_asks_stripe_and_queues_one_question_a_minute(
    sandbox: Any, cart: Cart
) -> None:
    started = guest_of(cart).post("checkout/", placing(cart)).json()
    order = Order.objects.get()
    sandbox.pay(started["checkout_session"]["url"])
    # Stripe is away: who asked it would be told so.
    sandbox.fault(kind="refuse", path="/v1/", times=None)
    path = f"checkout-sessions/{started['checkout_session']['id']}/"

    first = holder_of(order).get(path)
    second = holder_of(order).get(path)

    assert first.json() == second.json()
    assert (first.json()["state"], first.json()["is_settled"]) == ("open", False)
    jobs = ProcrastinateJob.objects.filter(task_name__endswith=".reconcile_attempt")
    assert jobs.count() == 1
    sandbox.clear_faults()
    support.run_jobs()
    assert holder_of(order).get(path).json()["state"] == "succeeded"


def test_what_cannot_be_called_back_is_told_with_the_order(sandbox: Any, variant: Variant) -> None:
    order = money_back.paid_order(sandbox, variant)

    problem = assert_problem(
        holder_of(order).post(f"orders/{order.number}/cancel/"), 409, "not_cancelable"
    )

    assert problem["detail"] == "The payment has arrived, so the order is not canceled."
    assert problem["order"]["phase"] == "paid"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("refuse", 503, "payment_unreachable"),
        ("error_before", 503, "payment_unreachable"),
        ("rate_limit", 429, "payment_busy"),
        ("forbidden", 503, "payment_unavailable"),
    ],
)
@pytest.mark.parametrize("deed", ["checkout-session", "payment-intent", "cancel"])
def test_when_stripe_fails_nothing_is_lost_and_trying_again_is_safe(
    sandbox: Any, deed: str, fault: str, status: int, code: str
) -> None:
    order = PendingOrderFactory(at=support.stripe_now())
    holder = holder_of(order)
    if deed == "cancel":
        assert holder.post(f"orders/{order.number}/checkout-session/").status_code == 201
    sandbox.fault(kind=fault, path="/v1/", times=None)

    answer = holder.post(f"orders/{order.number}/{deed}/", key="k")

    assert_problem(answer, status, code)
    assert answer["Retry-After"] == "30"
    assert support.reread(order).is_pending
    sandbox.clear_faults()
    assert holder.post(f"orders/{order.number}/{deed}/", key="k").status_code in {200, 201}


def test_a_declined_card_leaves_the_order_payable(sandbox: Any) -> None:
    order = PendingOrderFactory(at=support.stripe_now())
    holder = holder_of(order)
    intent = holder.post(f"orders/{order.number}/payment-intent/").json()

    support.confirm_intent(intent["id"], intent["client_secret"], "pm_card_chargeDeclined")
    support.hear_all(sandbox)

    shown = holder.get(f"orders/{order.number}/").json()
    assert (shown["phase"], shown["story"][-1]["reason"]) == ("payable", "failed_card")
    assert holder.post(f"orders/{order.number}/payment-intent/").json() == intent


def test_a_request_that_runs_already_is_told_as_no_answer(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "_KEY_IN_USE_SECONDS", 0.1)
    order = PendingOrderFactory(at=support.stripe_now())
    sandbox.fault(kind="conflict", path="/v1/checkout/sessions", times=1)
    path = f"orders/{order.number}/checkout-session/"

    first = holder_of(order).post(path, key="k")

    assert_problem(first, 503, "payment_unreachable")
    assert holder_of(order).post(path, key="k").status_code == 201
    assert order.attempts.count() == 1


def test_a_payment_that_was_faster_is_told_with_the_order(sandbox: Any, variant: Variant) -> None:
    attempt = support.checkout(support.cart_with(variant))
    sandbox.pay(attempt.url)

    answer = holder_of(attempt.order).post(f"orders/{attempt.order.number}/cancel/")

    problem = assert_problem(answer, 409, "not_cancelable")
    assert problem["order"]["phase"] == "paid"
    assert support.reread(attempt.order).status == Order.Status.PAID


def test_a_read_older_than_stripes_refusal_changes_nothing(sandbox: Any, variant: Variant) -> None:
    attempt = support.checkout(support.cart_with(variant))
    sandbox.pay(attempt.url)
    # Stripe refuses to end the session, as it is paid, and shows it as it was before.
    sandbox.fault(kind="stale_read", path="/v1/checkout/sessions", times=1)
    path = f"orders/{attempt.order.number}/cancel/"

    first = holder_of(attempt.order).post(path, key="k")

    assert_problem(first, 503, "payment_unreachable")
    assert support.reread(attempt.order).is_pending
    assert_problem(holder_of(attempt.order).post(path, key="k"), 409, "not_cancelable")


def test_a_fault_of_ours_at_stripe_is_told_as_such(sandbox: Any) -> None:
    order = PendingOrderFactory(at=support.stripe_now())
    support.attempt_row(order, params={"mode": "nonsense"}, created_at=now())

    answer = holder_of(order).post(f"orders/{order.number}/checkout-session/")

    assert_problem(answer, 500, "payment_refused")
    assert "Retry-After" not in answer


def test_an_order_is_its_owners_and_its_tokens() -> None:
    user = UserFactory()
    order, other = PendingOrderFactory(user=user), PendingOrderFactory()
    path = f"orders/{order.number}/"

    assert caller_as(user).get(path).status_code == 200
    assert holder_of(order).get(path).status_code == 200
    # A token that is sent along opens what it opens, whoever is signed in.
    both = caller_as(UserFactory(), Order_Token=links.sign(order.number))
    assert both.get(path).status_code == 200
    for stranger in (holder_of(other), caller_as(UserFactory()), Caller(Order_Token="")):
        mine, none = stranger.get(path), stranger.get("orders/ABCDEFGHJK/")
        assert assert_problem(mine, 404, "not_found") == none.json()
    assert_problem(Caller().get(path), 401, "not_authenticated")


def test_a_guest_finds_his_order_by_number_and_address_a_few_times_a_minute() -> None:
    order = PendingOrderFactory(email="Reader@example.com")
    typed = f" {order.number[:5].lower()}-{order.number[5:]} "

    found = Caller().post("orders/find/", {"number": typed, "email": "reader@EXAMPLE.com"})

    assert found.status_code == 200
    token = found.json()["token"]
    assert Caller(Order_Token=token).get(f"orders/{order.number}/").status_code == 200
    wrong = {"number": order.number, "email": "other@example.com"}
    for _ in range(9):
        assert_problem(Caller().post("orders/find/", wrong), 404, "not_found")
    refused = Caller().post("orders/find/", wrong)
    assert_problem(refused, 429, "too_many_requests")
    assert 50 <= int(refused["Retry-After"]) <= 60
    # The page counts along.
    page = Client().post("/orders/find/", wrong)
    assert page.status_code == 429


def test_a_list_is_only_for_who_is_signed_in() -> None:
    order = PendingOrderFactory()

    for method in ("GET", "HEAD"):
        assert holder_of(order).call(method, "orders/").status_code == 401


def test_an_app_that_has_paid_an_intent_asks_until_it_is_settled(sandbox: Any) -> None:
    order = PendingOrderFactory(at=support.stripe_now())
    holder = holder_of(order)
    intent = holder.post(f"orders/{order.number}/payment-intent/").json()
    # Asking how the order stands says nothing of having paid.
    assert holder.get(f"orders/{order.number}/payment/").json()["phase"] == "payable"
    support.confirm_intent(intent["id"], intent["client_secret"])

    before = holder.get(f"payment-intents/{intent['id']}/").json()
    phase = holder.get(f"orders/{order.number}/payment/").json()["phase"]
    support.run_jobs()
    after = holder.get(f"payment-intents/{intent['id']}/").json()

    assert (before["state"], before["is_settled"], phase) == ("open", False, "confirming")
    assert after == {
        "id": intent["id"],
        "state": "succeeded",
        "is_settled": True,
        "order_number": order.number,
    }


def test_a_list_has_the_users_orders_newest_first_at_the_same_cost(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    user = UserFactory()
    PendingOrderFactory()
    for day in range(3):
        PendingOrderFactory(user=user, at=now() - timedelta(days=day))
    newest = user.orders.first()
    caller = caller_as(user)

    with django_assert_num_queries(5):
        listed = caller.get("orders/?page_size=2").json()

    assert (listed["count"], len(listed["results"])) == (3, 2)
    assert listed["next"] == "http://testserver/api/orders/?page=2&page_size=2"
    first = listed["results"][0]
    assert (first["number"], first["phase"]) == (newest.number, "payable")
    assert (first["first_title"], first["further_lines"]) == (newest.lines.get().title, 0)
    assert first["total"]["amount"] == newest.total_minor
