"""An order's pages, as a browser meets them: confirming, paying again, looking it up."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.tests.factories import UserFactory
from orders import links
from orders.models import Status
from orders.tests.factories import PendingOrderFactory
from payments.tests import support
from payments.tests.browsing import signed, visitor
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


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
