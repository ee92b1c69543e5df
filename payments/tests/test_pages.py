"""Checkout and order pages, as a browser meets them."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.tests.factories import UserFactory
from cart.access import COOKIE, _signer
from cart.models import Cart
from orders import links
from orders.models import Order, Status
from orders.tests.factories import ADDRESS, PendingOrderFactory
from payments.models import PaymentAttempt
from payments.tests import support
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db
FORM = {"email": "reader@example.com", **ADDRESS}


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    cache.clear()


def visitor(cart: Cart) -> Client:
    client = Client()
    client.cookies[COOKIE] = _signer.sign(str(cart.public_id))
    return client


def fingerprint(client: Client) -> str:
    """Return the fingerprint that the checkout page's form carries."""
    page = client.get("/checkout/").content.decode()
    found = re.search(r'name="fingerprint" value="([^"]+)"', page)
    assert found, "the page carries no fingerprint"
    return found[1]


def pay_by_form(client: Client, **changes: str) -> HttpResponse:
    form = FORM | {"fingerprint": fingerprint(client)} | changes
    return client.post("/checkout/", form)  # type: ignore[return-value]


def signed(name: str, order: Order) -> str:
    return reverse(f"payments:{name}", args=[order.number, links.sign(order.number)])


def test_the_checkout_sends_the_buyer_to_stripes_page_with_303(sandbox: Any) -> None:
    client = visitor(support.cart_with(VariantFactory()))

    answer = pay_by_form(client)

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

    refused = pay_by_form(client, email=email)
    accepted = pay_by_form(client)

    assert refused.status_code == 422
    assert re.findall(r'id="id_(\w+)_error"', refused.content.decode()) == ["email"]
    assert accepted.status_code == 303
    assert Order.objects.pending().get().email == "reader@example.com"


def test_what_was_typed_once_need_not_be_typed_again(sandbox: Any) -> None:
    client = visitor(support.cart_with(VariantFactory()))
    pay_by_form(client)

    page = client.get("/checkout/").content.decode()

    for value in ("reader@example.com", "Ada Reader", "1 Long Lane", "10115", "Berlin"):
        assert f'value="{value}"' in page
    assert '<option value="DE" selected>' in page


def test_a_missing_field_is_said_beside_it_and_nothing_is_placed(sandbox: Any) -> None:
    client = visitor(support.cart_with(VariantFactory()))

    answer = pay_by_form(client, city="", email="nonsense", country="XX")

    assert answer.status_code == 422
    page = answer.content.decode()
    for field in ("city", "email", "country"):
        assert f'id="id_{field}_error"' in page
        assert f"id_{field}_error" in re.findall(rf'name="{field}"[^>]*', page)[0]
    assert Order.objects.count() == 0


def test_a_price_that_changed_is_shown_and_the_next_try_goes_through(sandbox: Any) -> None:
    variant = VariantFactory(price_minor=1_000)
    client = visitor(support.cart_with(variant))
    shown = fingerprint(client)
    type(variant).objects.update(price_minor=1_500)

    refused = client.post("/checkout/", FORM | {"fingerprint": shown})

    assert refused.status_code == 409
    assert "€19.90" in refused.content.decode()
    assert Order.objects.count() == 0
    assert pay_by_form(client).status_code == 303


@pytest.mark.parametrize("forged", ["", "abc", "abc:def", "x" * 300])
def test_a_forged_fingerprint_places_nothing(sandbox: Any, forged: str) -> None:
    client = visitor(support.cart_with(VariantFactory()))

    assert pay_by_form(client, fingerprint=forged).status_code in {409, 422}

    assert Order.objects.count() == 0


def test_a_shortage_names_the_book_and_how_many_are_left(sandbox: Any) -> None:
    variant = VariantFactory(on_hand=2, product__title="Emma")
    client = visitor(support.cart_with(variant, quantity=3))

    answer = pay_by_form(client)

    assert answer.status_code == 409
    assert "Of “Emma” (Paperback) we have only 2." in answer.content.decode()
    assert Order.objects.count() == 0


def test_an_empty_cart_leads_back_to_the_cart() -> None:
    assert Client().get("/checkout/")["Location"] == "/cart/"
    assert visitor(support.cart_with()).get("/checkout/")["Location"] == "/cart/"


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ({"kind": "refuse"}, 503, "you cannot pay twice"),
        ({"kind": "error_before"}, 503, "you cannot pay twice"),
        ({"kind": "rate_limit"}, 429, "please try again in a moment"),
    ],
)
def test_a_failure_of_stripe_is_told_kindly_and_loses_nothing(
    sandbox: Any, fault: dict[str, Any], status: int, words: str
) -> None:
    cart = support.cart_with(VariantFactory())
    client = visitor(cart)
    sandbox.fault(**fault, path="/v1/checkout/sessions", times=1)

    answer = pay_by_form(client)

    assert (answer.status_code, answer["Retry-After"]) == (status, "30")
    assert words in answer.content.decode()
    assert cart.lines.count() == 1
    assert Order.objects.get().status == Status.PENDING
    assert pay_by_form(client).status_code == 303
    assert Order.objects.count() == 1


def test_the_checkout_form_needs_its_token(sandbox: Any) -> None:
    cart = support.cart_with(VariantFactory())
    client = Client(enforce_csrf_checks=True)
    client.cookies[COOKIE] = _signer.sign(str(cart.public_id))

    assert pay_by_form(client).status_code == 403

    assert Order.objects.count() == 0


def test_placing_is_limited(sandbox: Any, settings: Any) -> None:
    client = visitor(support.cart_with(VariantFactory()))
    shown = fingerprint(client)
    answers = [
        client.post("/checkout/", FORM | {"fingerprint": shown, "city": ""}).status_code
        for _ in range(21)
    ]

    assert answers == [422] * 20 + [429]


def test_the_success_page_asks_again_until_the_database_knows_and_never_asks_stripe(
    sandbox: Any,
) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    order = attempt.order
    sandbox.pay(attempt.url)
    sandbox.fault(kind="refuse", times=None)
    path = signed("success", order)

    first = Client().get(path)
    second = Client().get(f"{path}?asked=1")

    assert first.status_code == second.status_code == 200
    assert first["Refresh"] == f"3; url={path}?asked=1"
    assert second["Refresh"] == f"3; url={path}?asked=2"
    jobs = ProcrastinateJob.objects.filter(task_name="payments.tasks.reconcile_attempt")
    assert [job.args["attempt_id"] for job in jobs] == [attempt.pk]
    assert sandbox.get("faults")["data"] != []
    sandbox.clear_faults()
    support.run_jobs()
    answer = Client().get(path)
    assert (answer.status_code, answer["Location"]) == (303, links.path(order))
    assert support.reread(order).status == Status.PAID


def test_the_success_page_gives_up_after_two_minutes(sandbox: Any) -> None:
    order = support.checkout(support.cart_with(VariantFactory())).order
    path = signed("success", order)

    assert "Refresh" in Client().get(f"{path}?asked=39")
    assert "Refresh" not in Client().get(f"{path}?asked=40")
    assert "Refresh" in Client().get(f"{path}?asked=nonsense")


def test_coming_back_unpaid_leads_to_the_cart_with_a_way_to_pay(sandbox: Any) -> None:
    cart = support.cart_with(VariantFactory())
    order = support.checkout(cart).order
    client = visitor(cart)

    answer = client.get(signed("left", order), follow=True)

    assert answer.redirect_chain == [("/cart/", 302)]
    assert links.path(order) in answer.content.decode()
    assert cart.lines.count() == 1
    assert support.reread(order).status == Status.PENDING


def test_pay_now_leads_to_the_session_that_is_open(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))

    page = Client().get(links.path(attempt.order)).content.decode()
    answer = Client().post(signed("pay", attempt.order))

    assert signed("pay", attempt.order) in page
    assert (answer.status_code, answer["Location"]) == (303, attempt.url)
    assert Client().get(signed("pay", attempt.order)).status_code == 405


def test_pay_now_opens_another_session_when_the_old_is_gone_until_the_deadline(
    sandbox: Any,
) -> None:
    first = support.checkout(support.cart_with(VariantFactory()))
    sandbox.post("clock", advance=46 * 60)

    answer = Client().post(signed("pay", first.order))

    first.refresh_from_db()
    second = first.order.attempts.live().get()
    assert (first.state, first.closed_as) == ("closed", "expired")
    assert (answer.status_code, answer["Location"]) == (303, second.url)
    assert second.url != first.url
    assert first.order.cart is not None
    assert first.order.cart.lines.count() == 1
    sandbox.post("clock", advance=24 * 60 * 60)
    too_late = Client().post(signed("pay", first.order))
    assert (too_late.status_code, too_late["Location"]) == (303, links.path(first.order))
    assert first.order.attempts.count() == 2


def test_pay_now_on_a_paid_order_leads_to_its_page(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    support.hear(sandbox.events())

    answer = Client().post(signed("pay", attempt.order))

    assert (answer.status_code, answer["Location"]) == (303, links.path(attempt.order))
    page = Client().get(links.path(attempt.order)).content.decode()
    assert "Your payment has arrived" in page
    assert signed("pay", attempt.order) not in page


def test_an_order_is_seen_by_its_owner_alone() -> None:
    owner, other = UserFactory(), UserFactory()
    order = PendingOrderFactory(user=owner)
    path = reverse("payments:order", args=[order.number])
    as_owner, as_other, as_guest = Client(), Client(), Client()
    as_owner.force_login(owner)
    as_other.force_login(other)

    assert as_owner.get(path).status_code == 200
    assert as_other.get(path).status_code == 404
    assert as_guest.get(path)["Location"].startswith("/accounts/login/")
    assert order.number in as_owner.get("/orders/").content.decode()
    assert order.number not in as_other.get("/orders/").content.decode()


@pytest.mark.parametrize("name", ["order_by_link", "pay", "success", "left"])
def test_a_guests_link_can_neither_be_guessed_nor_altered(name: str) -> None:
    order, other = PendingOrderFactory(), PendingOrderFactory()
    good = links.sign(order.number)
    for number, signature in [
        (order.number, good[:-1] + ("A" if good[-1] != "A" else "B")),
        (order.number, links.sign(other.number)),
        (other.number, good),
        ("ABCDEFGHJK", links.sign("ABCDEFGHJK")),
        (order.number.lower(), good),
    ]:
        path = reverse(f"payments:{name}", args=[number, signature])
        answer = Client().post(path) if name == "pay" else Client().get(path)

        assert answer.status_code == 404


def test_a_guest_finds_his_order_by_number_and_address() -> None:
    order = PendingOrderFactory(email="Reader@Example.com")
    typed = f" {order.number[:5].lower()}-{order.number[5:].lower()} "

    found = Client().post("/orders/find/", {"number": typed, "email": "reader@example.com"})
    wrong = Client().post("/orders/find/", {"number": typed, "email": "other@example.com"})

    assert (found.status_code, found["Location"]) == (303, links.path(order))
    assert wrong.status_code == 422
    assert "We know no order" in wrong.content.decode()


def test_looking_orders_up_is_limited() -> None:
    form = {"number": "ABCDEFGHJK", "email": "x@example.com"}

    answers = [Client().post("/orders/find/", form).status_code for _ in range(11)]

    assert answers == [422] * 10 + [429]


def test_order_pages_are_for_no_cache_and_no_search_engine() -> None:
    order = PendingOrderFactory()

    answer = Client().get(links.path(order))

    assert "no-store" in answer["Cache-Control"]
    assert '<meta name="robots" content="noindex">' in answer.content.decode()


@pytest.mark.parametrize("lines", [1, 12])
def test_checkout_and_order_pages_keep_their_query_budget(
    sandbox: Any, lines: int, django_assert_max_num_queries: Any
) -> None:
    cart = support.cart_with(*(VariantFactory() for _ in range(lines)))
    client = visitor(cart)
    with django_assert_max_num_queries(7):
        client.get("/checkout/")
    order = support.checkout(cart).order

    with django_assert_max_num_queries(9):
        client.get(links.path(order))
    with django_assert_max_num_queries(8):
        client.get(signed("success", order))


def test_the_list_of_orders_keeps_its_query_budget(django_assert_max_num_queries: Any) -> None:
    user = UserFactory()
    for _ in range(25):
        PendingOrderFactory(user=user)
    client = Client()
    client.force_login(user)

    with django_assert_max_num_queries(7):
        page = client.get("/orders/").content.decode()

    assert page.count("/orders/") >= 20


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

    answer = pay_by_form(client)

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
