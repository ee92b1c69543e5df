"""Refunds above the limit: one person asks, another approves."""

from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import a_clerk
from orders import services as orders
from orders.models import Order, OrderEvent, Reason, Review, Status
from orders.tests.factories import PLACED_AT
from payments.models import Refund, RefundRequest
from payments.services import refund_requests, reviews
from payments.services.refund_requests import CannotDecide
from payments.services.refunds import CannotRefund
from payments.tests import support
from payments.tests.deeds import confirmed, do, filled_in, order_page, page_of
from payments.tests.money_back import charge_of, money, paid_order
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db
ASKER, OTHER = 101, 102


@pytest.fixture(autouse=True)
def limit(settings: Any) -> None:
    settings.REFUND_LIMIT_MINOR = 20_00


def order_of(sandbox: Any, price_minor: int = 30_00) -> Order:
    """Return a paid order of two units; shipping is free."""
    return paid_order(sandbox, VariantFactory(price_minor=price_minor, on_hand=2), quantity=2)


def ask(order: Order, amount_minor: int, **more: Any) -> Refund | RefundRequest:
    usual: dict[str, Any] = {"why": Refund.Why.REQUESTED, "by": ASKER, "at": support.stripe_now()}
    return refund_requests.ask(
        order_id=order.pk, charge_id=charge_of(order), amount_minor=amount_minor, **usual | more
    )


def asked_for(order: Order, amount_minor: int, **more: Any) -> RefundRequest:
    request = ask(order, amount_minor, **more)
    assert isinstance(request, RefundRequest)
    return request


def test_up_to_the_limit_nobody_else_is_asked(sandbox: Any) -> None:
    assert isinstance(ask(order_of(sandbox), 20_00), Refund)


def test_above_the_limit_nothing_is_given_back_before_another_approves(sandbox: Any) -> None:
    order = order_of(sandbox)
    units = {order.lines.get().pk: 1}

    request = asked_for(order, 30_00, quantities=units, restock=True, note="Wet")
    assert (Refund.objects.count(), support.last_event(order).reason) == (0, Reason.REFUND_WAITS)
    refund = refund_requests.approve(request_id=request.pk, by=OTHER, at=support.stripe_now())
    support.run_jobs()

    refund.refresh_from_db()
    assert (refund.state, refund.amount_minor, refund.key) == ("succeeded", 30_00, request.key)
    assert (refund.by_user_id, refund.note, refund.is_restocked) == (OTHER, "Wet", True)
    assert refund.lines.get().quantity == 1
    assert order.lines.get().variant.on_hand == 1
    assert money(order)[1:] == [("refund", -30_00)]
    request.refresh_from_db()
    assert (request.decision, request.asked_by_id, request.decided_by_id) == (
        "approved",
        ASKER,
        OTHER,
    )


def test_small_parts_of_a_large_sum_are_asked_about_too(sandbox: Any) -> None:
    order = order_of(sandbox)

    assert isinstance(ask(order, 15_00), Refund)
    assert isinstance(ask(order, 5_01), RefundRequest)
    assert isinstance(ask(order, 5_00), Refund)


def test_what_was_approved_does_not_count_against_the_next(sandbox: Any) -> None:
    order = order_of(sandbox)
    request = asked_for(order, 30_00)
    refund_requests.approve(request_id=request.pk, by=OTHER, at=support.stripe_now())

    assert isinstance(ask(order, 20_00), Refund)


@override_settings(REFUND_LIMIT_MINOR=0)
def test_without_a_limit_nobody_else_is_asked(sandbox: Any) -> None:
    assert isinstance(ask(order_of(sandbox), 60_00), Refund)


def test_who_asked_does_not_approve(sandbox: Any) -> None:
    request = asked_for(order_of(sandbox), 30_00)

    with pytest.raises(CannotDecide, match="somebody else"):
        refund_requests.approve(request_id=request.pk, by=ASKER, at=PLACED_AT)

    request.refresh_from_db()
    assert (request.decision, Refund.objects.count()) == ("", 0)


def test_a_request_is_decided_once(sandbox: Any) -> None:
    request = asked_for(order_of(sandbox), 30_00)
    refund_requests.decline(request_id=request.pk, by=OTHER, at=PLACED_AT)
    events = OrderEvent.objects.count()

    for decide in (refund_requests.approve, refund_requests.decline):
        with pytest.raises(CannotDecide, match="declined already"):
            decide(request_id=request.pk, by=OTHER, at=PLACED_AT)

    assert (Refund.objects.count(), OrderEvent.objects.count()) == (0, events)
    assert support.last_event(request.order).reason == Reason.REFUND_DECLINED


def test_what_is_gone_meanwhile_is_not_approved_and_waits_on(sandbox: Any) -> None:
    order = order_of(sandbox)
    first, second = asked_for(order, 40_00), asked_for(order, 30_00)
    refund_requests.approve(request_id=first.pk, by=OTHER, at=support.stripe_now())

    with pytest.raises(CannotRefund, match=r"€20\.00 can still be refunded"):
        refund_requests.approve(request_id=second.pk, by=OTHER, at=support.stripe_now())

    second.refresh_from_db()
    assert second.is_waiting
    assert Refund.objects.count() == 1


def test_asking_twice_under_one_key_waits_once(sandbox: Any) -> None:
    order = order_of(sandbox)
    request = asked_for(order, 30_00)

    assert asked_for(order, 30_00, key=request.key) == request
    with pytest.raises(CannotRefund, match="sent before"):
        ask(order, 31_00, key=request.key)

    assert RefundRequest.objects.count() == 1


def test_a_reviews_refund_above_the_limit_waits_too(sandbox: Any) -> None:
    order = order_of(sandbox)
    review = orders.open_review(
        order=order, reason=Review.Reason.MISMATCH, cause=charge_of(order), detail="", at=PLACED_AT
    )

    request = reviews.refund(review_id=review.pk, by=ASKER, at=support.stripe_now())
    assert isinstance(request, RefundRequest)
    with pytest.raises(CannotRefund, match="waits for a second person"):
        reviews.refund(review_id=review.pk, by=ASKER, at=support.stripe_now())
    refund_requests.approve(request_id=request.pk, by=OTHER, at=support.stripe_now())
    support.run_jobs()

    review.refresh_from_db()
    assert review.resolution == Review.Resolution.REFUNDED
    assert support.reread(order).status == Status.REFUNDED


def test_a_request_whose_review_was_answered_otherwise_is_not_approved(sandbox: Any) -> None:
    order = order_of(sandbox)
    review = orders.open_review(
        order=order, reason=Review.Reason.MISMATCH, cause=charge_of(order), detail="", at=PLACED_AT
    )
    request = reviews.refund(review_id=review.pk, by=ASKER, at=support.stripe_now())
    reviews.accept(review_id=review.pk, by=OTHER, at=support.stripe_now())

    with pytest.raises(CannotDecide, match="answered otherwise"):
        refund_requests.approve(request_id=request.pk, by=OTHER, at=support.stripe_now())

    assert Refund.objects.count() == 0


def test_two_people_give_back_a_large_sum_in_the_admin(
    staff: Client, boss: User, sandbox: Any
) -> None:
    order = order_of(sandbox)
    asker, client = a_clerk("view_.*|add_refund"), Client()
    client.force_login(asker)
    address = page_of(order, "refund")
    form = {"charge": charge_of(order), "what": "all", "why": "other", "note": "All torn"}

    asked = client.post(address, filled_in(client, address, **form))
    assert "a second person is asked to approve it" in asked.text
    sent = confirmed(client, address, filled_in(client, address, **form))
    for _ in range(2):
        client.post(address, sent)
    request = RefundRequest.objects.get()
    approve = reverse("admin:payments_refundrequest_approve", args=[request.pk])
    assert client.get(approve).status_code == 403
    page = staff.get(order_page(order)).text
    assert f"a refund of €60.00 that {asker.email} asked for" in page
    assert "€60.00: another reason: All torn" in page
    told = staff.get(approve).text
    assert "€60.00 goes back to the buyer by Stripe" in told
    assert f"Its units (2 x {order.lines.get().title}) do not go back on the shelf." in told
    assert Refund.objects.count() == 0
    answer = do(staff, approve)
    support.run_jobs()

    assert answer.status_code == 302
    assert support.reread(order).status == Status.REFUNDED
    assert (request.asked_by_id, Refund.objects.get().by_user_id) == (asker.pk, boss.pk)


def test_who_asked_takes_it_back(client: Client, sandbox: Any) -> None:
    asker = a_clerk("view_.*|add_refund")
    client.force_login(asker)
    request = asked_for(order_of(sandbox), 30_00, by=asker.pk)

    answer = do(client, reverse("admin:payments_refundrequest_decline", args=[request.pk]))

    request.refresh_from_db()
    assert (answer.status_code, request.decision) == (302, "declined")


def test_the_list_of_requests_costs_the_same_however_long(
    staff: Client, sandbox: Any, django_assert_num_queries: Any
) -> None:
    order = order_of(sandbox)
    for _ in range(11):
        asked_for(order, 30_00)

    with django_assert_num_queries(4):
        found = staff.get(reverse("admin:payments_refundrequest_changelist"), {"state": "waiting"})

    assert len(found.context["cl"].result_list) == 11
