"""What staff see of disputes: the flag on an order, its deadline, the list of all."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import a_clerk
from orders.models import Order
from orders.tests.factories import PLACED_AT, PendingOrderFactory
from payments.models import Dispute, Refund
from payments.tests import support
from payments.tests.deeds import confirmed, filled_in, page_of
from payments.tests.money_back import intent_of, paid_order
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

ORDERS = reverse("admin:orders_order_changelist")
DISPUTES = reverse("admin:payments_dispute_changelist")
DUE_AT = PLACED_AT + timedelta(days=10)
DEADLINE = "15 January 2026, 11:00 UTC"


def _orders(count: int) -> list[Order]:
    return [PendingOrderFactory(client_ip=f"192.0.2.{number}") for number in range(count)]


def _listed(staff: Client, address: str, **asked: str) -> list[Any]:
    return list(staff.get(address, asked).context["cl"].result_list)


def test_an_order_is_flagged_with_the_first_deadline_while_a_dispute_is_open(
    staff: Client,
) -> None:
    order, quiet = _orders(2)
    support.dispute_row(order, "du_1")
    support.dispute_row(order, "du_2", due_at=DUE_AT + timedelta(days=1))
    support.dispute_row(order, "du_3", due_at=DUE_AT)
    support.dispute_row(order, "du_4", due_at=PLACED_AT, status="lost", closed_at=PLACED_AT)
    page = reverse("admin:orders_order_change", args=[order.pk])

    shown = staff.get(ORDERS).content.decode()
    assert shown.count("answer by") == shown.count(f"answer by {DEADLINE}") == 1
    assert f"answer by {DEADLINE}" in staff.get(page).content.decode()
    Dispute.objects.exclude(status="lost").update(status="won", closed_at=PLACED_AT)
    for address in (ORDERS, page):
        assert "answer by" not in staff.get(address).content.decode()
    assert quiet.pk


def test_a_dispute_without_a_deadline_is_flagged_too(staff: Client) -> None:
    (order,) = _orders(1)
    support.dispute_row(order, "du_1")

    desk = staff.get(ORDERS).context["cl"].model_admin
    (row,) = _listed(staff, ORDERS)

    assert desk.flags(row) == ("open", "disputed")


def test_orders_are_filtered_by_dispute(staff: Client) -> None:
    is_open, was_open, _quiet = _orders(3)
    support.dispute_row(is_open, "du_1", status="warning_under_review")
    support.dispute_row(was_open, "du_2", status="won", closed_at=PLACED_AT)

    assert _listed(staff, ORDERS, dispute="open") == [is_open]
    assert set(_listed(staff, ORDERS, dispute="any")) == {is_open, was_open}


def lost_order(sandbox: Any) -> Order:
    """Return a paid order whose money the buyer's bank took for good."""
    order = paid_order(sandbox, VariantFactory(price_minor=12_00, on_hand=3), quantity=2)
    dispute = sandbox.dispute(intent_of(order), amount=20_00)
    sandbox.move_dispute(dispute["id"], "lose")
    support.hear_all(sandbox)
    return order


def test_goods_of_a_lost_dispute_are_put_back_and_no_work_any_more(
    staff: Client, boss: User, sandbox: Any
) -> None:
    order = lost_order(sandbox)
    page = reverse("admin:orders_order_change", args=[order.pk])
    button = page_of(order, "put_back")
    what_to_do = "the bank kept €20.00: put the goods back"
    for address in (ORDERS, page):
        assert what_to_do in staff.get(address).content.decode()
    assert _listed(staff, ORDERS, dispute="lost") == [order]
    to_do = f"{ORDERS}?dispute=lost"
    assert to_do in staff.get("/admin/").content.decode()

    assert "For sale again: 2 x " in staff.get(button).text
    assert support.reread(order).status == "paid"
    sent = confirmed(staff, button, filled_in(staff, button))
    answers = [staff.post(button, sent) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 422]
    assert "This order is fulfilled." in answers[1].text
    assert "The goods are back on the shelf." in answers[1].text
    assert "Goods put back" in staff.get(page).text
    for address in (ORDERS, page):
        shown = staff.get(address).content.decode()
        assert "the bank kept €20.00" in shown
        assert what_to_do not in shown
    assert _listed(staff, ORDERS, dispute="lost") == []
    assert to_do not in staff.get("/admin/").content.decode()
    last = support.last_event(order)
    assert (last.reason, last.by_user_id) == ("put_back", boss.pk)
    assert order.lines.get().variant.on_hand == 3


def test_who_may_only_look_puts_nothing_back(client: Client, sandbox: Any) -> None:
    client.force_login(a_clerk("view_.*"))
    order = lost_order(sandbox)
    button = reverse("admin:orders_order_put_back", args=[order.pk])

    assert client.get(button).status_code == 403
    assert client.post(button, {"_form_submitted": "True"}).status_code == 403

    assert support.reread(order).status == "paid"
    page = reverse("admin:orders_order_change", args=[order.pk])
    assert button not in client.get(page).content.decode()


@pytest.mark.parametrize("stripe_id", ["re_1", "pyr_1"])
def test_an_order_is_found_by_its_refund(stripe_id: str, staff: Client) -> None:
    order, _other = _orders(2)
    Refund.objects.create(
        order=order,
        stripe_id=stripe_id,
        charge_id="ch_1",
        intent_id="pi_1",
        amount_minor=100,
        currency="EUR",
        source="dashboard",
        why="other",
        state="pending",
        created_at=PLACED_AT,
    )

    assert _listed(staff, ORDERS, q=stripe_id) == [order]
    assert _listed(staff, ORDERS, q=f"{stripe_id}2") == []
    # It is of an amount, not of units.
    page = staff.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
    assert stripe_id in page
    assert " x " not in page


@pytest.mark.parametrize("stripe_id", ["du_1", "dp_1"])
def test_an_order_is_found_by_its_dispute(stripe_id: str, staff: Client) -> None:
    order, _other = _orders(2)
    support.dispute_row(order, stripe_id)

    assert _listed(staff, ORDERS, q=stripe_id) == [order]
    assert _listed(staff, ORDERS, q=f"{stripe_id}2") == []


def test_what_must_be_answered_first_is_on_top(staff: Client) -> None:
    (order,) = _orders(1)
    closed = {"status": "lost", "due_at": PLACED_AT}
    support.dispute_row(order, "du_closed", closed_at=PLACED_AT, **closed)
    support.dispute_row(order, "du_closed_last", closed_at=DUE_AT, **closed)
    support.dispute_row(order, "du_no_deadline")
    support.dispute_row(order, "du_late", due_at=DUE_AT)
    support.dispute_row(order, "du_soon", due_at=PLACED_AT + timedelta(days=1))

    ids = [dispute.stripe_id for dispute in _listed(staff, DISPUTES)]
    open_ids = [dispute.stripe_id for dispute in _listed(staff, DISPUTES, state="open")]
    closed_ids = [dispute.stripe_id for dispute in _listed(staff, DISPUTES, state="closed")]

    assert open_ids == ["du_soon", "du_late", "du_no_deadline"]
    assert closed_ids == ["du_closed_last", "du_closed"]
    assert ids == open_ids + closed_ids


@pytest.mark.parametrize(("is_live", "mode"), [(False, "test/"), (True, "")])
def test_a_disputes_page_leads_to_stripes_dashboard(
    is_live: bool, mode: str, staff: Client, settings: Any
) -> None:
    settings.STRIPE_LIVE_MODE = is_live
    (order,) = _orders(1)
    dispute = support.dispute_row(order, "du_1")

    page = staff.get(reverse("admin:payments_dispute_change", args=[dispute.pk])).content.decode()

    assert f'href="https://dashboard.stripe.com/{mode}disputes/du_1"' in page


def test_the_list_of_disputes_costs_the_same_however_long(
    staff: Client, django_assert_num_queries: Any
) -> None:
    for number, order in enumerate(_orders(25)):
        support.dispute_row(order, f"du_{number}", due_at=DUE_AT)

    with django_assert_num_queries(5):
        assert len(_listed(staff, DISPUTES)) == 25


def test_disputes_are_neither_added_changed_nor_deleted(staff: Client) -> None:
    (order,) = _orders(1)
    dispute = support.dispute_row(order, "du_1")
    before = Dispute.objects.values().get()
    page = reverse("admin:payments_dispute_change", args=[dispute.pk])

    answers = [
        staff.get(reverse("admin:payments_dispute_add")),
        staff.post(page, {"status": "won", "amount_minor": "1"}),
        staff.post(reverse("admin:payments_dispute_delete", args=[dispute.pk]), {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert Dispute.objects.values().get() == before
