"""Staff give money back and enter it by hand: a form, what it will do, then the deed, once."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import a_clerk
from orders import services as orders
from orders.models import Order, OrderEvent, Reason, Review, Status
from orders.tests.factories import PLACED_AT, PendingOrderFactory
from payments.models import LedgerEntry, Refund
from payments.services import fulfilling
from payments.tests import support
from payments.tests.deeds import confirmed, filled_in, order_page, page_of
from payments.tests.money_back import charge_of, money, paid_order, refunded
from shop import services as stock
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

SENT = {"_form_submitted": "True"}


def refund_form(staff: Client, order: Order, **fields: Any) -> dict[str, Any]:
    usual = {
        "charge": charge_of(order),
        "what": "all",
        "why": Refund.Why.REQUESTED,
        "note": "Asked",
    }
    return filled_in(staff, page_of(order, "refund"), **usual | fields)


def test_a_refund_is_asked_for_in_two_steps_and_happens_once(
    staff: Client, boss: User, sandbox: Any
) -> None:
    variant = VariantFactory(on_hand=3)
    order = paid_order(sandbox, variant, quantity=2)
    address = page_of(order, "refund")
    form = refund_form(staff, order, restock="on", note="Wet")

    asked = staff.post(address, form)
    assert (asked.status_code, Refund.objects.count()) == (200, 0)
    text = asked.content.decode()
    assert "goes back to the buyer by Stripe" in text
    assert f"2 x {order.lines.get().title}: put back on the shelf" in text
    assert "the order becomes refunded" in text
    sent = confirmed(staff, address, form)
    answers = [staff.post(address, sent) for _ in range(2)]
    support.run_jobs()

    assert [(a.status_code, a.headers["Location"]) for a in answers] == [
        (302, order_page(order))
    ] * 2
    refund = Refund.objects.get()
    assert (refund.state, refund.by_user_id, refund.note) == ("succeeded", boss.pk, "Wet")
    assert (refund.amount_minor, refund.is_restocked) == (order.total_minor, True)
    assert support.reread(order).status == Status.REFUNDED
    variant.refresh_from_db()
    assert variant.on_hand == 3
    assert "done once" in staff.get(order_page(order)).content.decode()


def test_units_are_refunded_at_their_price_and_an_amount_without_units(
    staff: Client, sandbox: Any
) -> None:
    order = paid_order(sandbox, VariantFactory(price_minor=12_00), quantity=2)
    address, line = page_of(order, "refund"), order.lines.get()

    form = refund_form(staff, order, what="units", **{f"units_{line.pk}": "1"})
    staff.post(address, confirmed(staff, address, form))
    form = refund_form(staff, order, what="amount", amount="0.75")
    staff.post(address, confirmed(staff, address, form))

    by_units, by_amount = Refund.objects.all()
    assert (by_units.amount_minor, by_units.lines.get().quantity) == (12_00, 1)
    assert (by_amount.amount_minor, by_amount.lines.count()) == (75, 0)


def test_of_an_order_that_is_partly_sent_the_form_asks_which_units_are_refunded(
    staff: Client, boss: User, sandbox: Any
) -> None:
    order = paid_order(sandbox, VariantFactory(price_minor=12_00), quantity=2)
    address, line = page_of(order, "refund"), order.lines.get()
    units, out = f"units_{line.pk}", f"handed_over_{line.pk}"
    assert out not in staff.get(address).context["form"].fields
    at = support.stripe_now()
    fulfilling.hand_over(order_id=order.pk, quantities={line.pk: 1}, by=boss.pk, at=at)
    one = refund_form(staff, order, what="units") | {units: "1"}

    told = [staff.post(address, one | {out: had}).content.decode() for had in ("", "0", "1")]

    for text in told[:2]:
        assert "not put back; not to be handed over any more" in text
        assert "the order is fulfilled" in text
    assert "1 had been handed over, 0 not to be handed over any more" in told[2]
    assert "the order is fulfilled" not in told[2]
    assert staff.post(address, one | {out: "2"}).status_code == 422
    staff.post(address, confirmed(staff, address, one | {out: "1"}))
    assert Refund.objects.get().lines.get().handed_over == 1
    assert fulfilling.left_to_hand_over(order) == {line.pk: 1}
    assert out not in staff.get(address).context["form"].fields


def test_what_has_changed_since_it_was_shown_is_shown_again_before_it_is_done(
    staff: Client, sandbox: Any
) -> None:
    order = paid_order(sandbox, VariantFactory(price_minor=20_00))
    address = page_of(order, "refund")
    sent = confirmed(staff, address, refund_form(staff, order))
    colleagues = refunded(order, 10_00)

    shown = staff.post(address, sent)

    assert shown.context["consequences"][0].startswith("€14.90 goes back")
    assert "Nothing was done yet" in shown.content.decode()
    assert list(Refund.objects.all()) == [colleagues]
    staff.post(address, confirmed(staff, address, sent))
    assert [refund.amount_minor for refund in Refund.objects.all()] == [10_00, 14_90]


def booked(order: Order, charge_id: str, currency: str) -> None:
    LedgerEntry.objects.create(
        order=order,
        kind=LedgerEntry.Kind.CAPTURE,
        stripe_id=charge_id,
        charge_id=charge_id,
        amount_minor=order.total_minor,
        currency=currency,
        booked_at=PLACED_AT,
    )


def test_all_of_a_second_payment_goes_back_without_the_orders_units(
    staff: Client, sandbox: Any
) -> None:
    order = paid_order(sandbox)
    first = charge_of(order)
    booked(order, "ch_2", "EUR")
    address = page_of(order, "refund")
    form = filled_in(staff, address, charge="ch_2", what="all", why="duplicate", note="Twice")

    staff.post(address, confirmed(staff, address, form))

    second = Refund.objects.get()
    assert (second.amount_minor, second.lines.count()) == (order.total_minor, 0)
    form = filled_in(staff, address, charge=first, what="all", why="other", note="Late")
    last = staff.post(address, form).context["consequences"]
    assert [words for words in last if "not to be handed over any more" in words]


def test_units_are_not_refunded_of_a_payment_in_another_currency(staff: Client) -> None:
    order = PendingOrderFactory()
    Order.objects.update(status="paid")
    booked(order, "ch_1", "JPY")
    address, units = page_of(order, "refund"), f"units_{order.lines.get().pk}"

    form = filled_in(
        staff, address, charge="ch_1", what="units", why="other", note="-", **{units: "1"}
    )
    answer = staff.post(address, form)

    assert "Amount in JPY" in answer.content.decode()
    assert "Units are priced in EUR, which this payment is not" in str(
        answer.context["form"].errors["what"]
    )


def test_units_that_cost_more_than_is_left_are_refunded_for_what_is_left(
    staff: Client, sandbox: Any
) -> None:
    order = paid_order(sandbox, VariantFactory(price_minor=20_00), quantity=3)
    refunded(order, 25_00)
    address, units = page_of(order, "refund"), f"units_{order.lines.get().pk}"

    form = refund_form(staff, order, what="units", **{units: "2"})
    asked = staff.post(address, form).context["consequences"]
    staff.post(address, confirmed(staff, address, form))

    assert "These units cost €40.00, but only €35.00 of the payment is left." in asked
    last = Refund.objects.order_by("pk").reverse()[0]
    assert (last.amount_minor, last.lines.get().quantity) == (35_00, 2)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"what": "amount", "amount": "1000"}, "can still be refunded"),
        ({"what": "amount", "amount": "-1"}, "can still be refunded"),
        ({"what": "amount", "amount": "1.001"}, "no such fractions"),
        ({"what": "amount"}, "Enter the amount"),
        ({"what": "units"}, "Enter how many units"),
        ({"what": "nothing"}, "Select a valid choice"),
        ({"charge": "ch_other"}, "Select a valid choice"),
        ({"key": "none"}, "valid UUID"),
    ],
)
def test_a_wrong_form_is_shown_again_with_the_reason(
    staff: Client, sandbox: Any, fields: dict[str, str], words: str
) -> None:
    order = paid_order(sandbox)
    form = refund_form(staff, order) | fields

    answer = staff.post(page_of(order, "refund"), form | {"confirmed": "1"})

    assert (answer.status_code, Refund.objects.count()) == (422, 0)
    assert words in str(answer.context["form"].errors)


def test_what_staff_cannot_ask_for_is_said_before_they_confirm_it(
    staff: Client, sandbox: Any
) -> None:
    order = paid_order(sandbox)
    orders.open_review(
        order=order,
        reason=Review.Reason.STOCK,
        cause="refund",
        detail="A unit is gone.",
        at=support.stripe_now(),
    )

    answer = staff.post(page_of(order, "refund"), refund_form(staff, order))

    assert (answer.status_code, Refund.objects.count()) == (422, 0)
    assert "answer that review first" in str(answer.context["form"].errors)


def test_what_is_to_be_changed_is_shown_again_and_nothing_done(staff: Client, sandbox: Any) -> None:
    order = paid_order(sandbox)
    form = refund_form(staff, order, what="amount", amount="1")

    answer = staff.post(page_of(order, "refund"), form | {"change": "1"})

    assert (answer.status_code, Refund.objects.count()) == (200, 0)
    assert 'name="amount" value="1"' in answer.content.decode()


def cash_of(order: Order) -> dict[str, str]:
    """Return what is filled in for all of its money in cash."""
    amount = f"{order.total_minor / 100:.2f}"
    entered = {"direction": "in", "amount": amount, "currency": "EUR"}
    return entered | {"means": "cash", "note": "Paid at the counter"}


def test_money_entered_by_hand_pays_the_order_and_twice_pays_once(
    staff: Client, boss: User, sandbox: Any
) -> None:
    order = support.checkout(support.cart_with(VariantFactory())).order
    address = page_of(order, "book_by_hand")
    form = filled_in(staff, address, **cash_of(order))

    asked = staff.post(address, form)
    assert "The order becomes paid" in asked.content.decode()
    assert support.reread(order).status == Status.PENDING
    sent = confirmed(staff, address, form)
    for _ in range(2):
        staff.post(address, sent)

    moved = order.events.get(from_status="pending", to_status="paid")
    assert (moved.reason, moved.by_user_id) == (Reason.MANUAL, boss.pk)
    assert money(order) == [("manual", order.total_minor)]
    assert order.ledger.get().means == LedgerEntry.Means.CASH
    note = order.notes.get()
    assert (note.text, note.by_user_id) == ("Paid at the counter", boss.pk)


def test_stripe_away_is_told_and_nothing_is_booked(staff: Client, sandbox: Any) -> None:
    order = support.checkout(support.cart_with(VariantFactory())).order
    address = page_of(order, "book_by_hand")
    form = filled_in(staff, address, **cash_of(order))
    sandbox.fault(kind="refuse", path="/v1/checkout/sessions", times=None)

    answer = staff.post(address, confirmed(staff, address, form))

    assert (answer.status_code, money(order)) == (422, [])
    assert "Stripe does not answer" in answer.content.decode()


def test_an_order_that_cost_nothing_is_called_off(staff: Client, boss: User) -> None:
    variant = VariantFactory(on_hand=2)
    order = PendingOrderFactory(quantities={variant: 1})
    Order.objects.update(subtotal_minor=0, shipping_minor=0, total_minor=0, status="paid")
    stock.sell(quantities={variant.pk: 1}, reference=order.number, at=PLACED_AT)
    address = page_of(order, "refund")

    asked = staff.get(address)
    assert "This order cost nothing" in asked.content.decode()
    form = confirmed(staff, address, {"key": asked.context["form"].data["key"]})
    first, second = staff.post(address, form), staff.post(address, form)

    assert (first.status_code, second.status_code) == (302, 422)
    assert support.last_event(order).by_user_id == boss.pk
    assert support.reread(order).status == Status.REFUNDED


def test_an_order_that_stripe_has_no_money_of_is_not_refunded(staff: Client) -> None:
    order = PendingOrderFactory()

    answer = staff.get(page_of(order, "refund"))

    assert (answer.status_code, answer.headers["Location"]) == (302, order_page(order))
    assert "Nothing was paid" in staff.get(order_page(order)).content.decode()


def in_review(sandbox: Any) -> Review:
    order = paid_order(sandbox)
    return orders.open_review(
        order=order, reason=Review.Reason.MISMATCH, cause=charge_of(order), detail="", at=PLACED_AT
    )


def test_a_review_is_refunded_by_post(staff: Client, boss: User, sandbox: Any) -> None:
    review = in_review(sandbox)
    address = reverse("admin:orders_review_refund", args=[review.pk])

    assert (staff.get(address).status_code, Refund.objects.count()) == (200, 0)
    for _ in range(2):
        staff.post(address, SENT)
    page = staff.get(reverse("admin:orders_review_change", args=[review.pk])).content.decode()
    assert "is being given back" in page
    assert "on its way back" in page
    support.run_jobs()

    review.refresh_from_db()
    refund = Refund.objects.get()
    assert (refund.why, refund.by_user_id) == (Refund.Why.REVIEW, boss.pk)
    assert (review.resolution, review.resolved_by_id) == ("refunded", boss.pk)


def test_a_review_is_settled_by_hand(staff: Client, boss: User, sandbox: Any) -> None:
    review = in_review(sandbox)
    address = reverse("admin:orders_review_settle", args=[review.pk])
    back = {"direction": "out", "amount": "1.00", "currency": "EUR", "means": "transfer"}
    form = filled_in(staff, address, note="By bank", **back)

    assert "The review is settled by it" in staff.post(address, form).content.decode()
    sent = confirmed(staff, address, form)
    for _ in range(2):
        staff.post(address, sent)

    review.refresh_from_db()
    assert (review.resolution, review.resolved_by_id) == ("manual", boss.pk)
    assert money(review.order)[1:] == [("manual", -1_00)]


def test_who_may_only_look_moves_no_money(client: Client, sandbox: Any) -> None:
    client.force_login(a_clerk("view_.*"))
    review = in_review(sandbox)
    before = OrderEvent.objects.count(), LedgerEntry.objects.count()

    for address in (
        page_of(review.order, "refund"),
        page_of(review.order, "book_by_hand"),
        reverse("admin:orders_review_refund", args=[review.pk]),
        reverse("admin:orders_review_settle", args=[review.pk]),
    ):
        assert client.get(address).status_code == 403
        assert client.post(address, SENT | {"confirmed": "1"}).status_code == 403

    assert (OrderEvent.objects.count(), LedgerEntry.objects.count()) == before
    page = client.get(order_page(review.order)).content.decode()
    assert page_of(review.order, "refund") not in page


def test_an_unknown_order_or_review_is_not_found(staff: Client) -> None:
    names = ("orders_order_refund", "orders_order_book_by_hand")
    for name in (*names, "orders_review_refund", "orders_review_settle"):
        for unknown in (12345, "abc"):
            answer = staff.post(reverse(f"admin:{name}", args=[unknown]), SENT)
            assert answer.status_code == 404


def test_refunds_are_listed_and_shown_with_who_and_why(
    staff: Client, boss: User, sandbox: Any, django_assert_num_queries: Any
) -> None:
    order = paid_order(sandbox)
    address = page_of(order, "refund")
    for _ in range(3):
        form = refund_form(staff, order, what="amount", amount="1", note="Torn")
        staff.post(address, confirmed(staff, address, form))
    refund = Refund.objects.all()[0]

    with django_assert_num_queries(4):
        listed = staff.get(reverse("admin:payments_refund_changelist")).content.decode()
    shown = staff.get(reverse("admin:payments_refund_change", args=[refund.pk])).content.decode()

    assert listed.count("the buyer asked for it") >= 3
    assert boss.email in listed
    for text in ("Torn", "asked for", boss.email, refund.charge_id, refund.idempotency_key):
        assert text in shown
    assert f"https://dashboard.stripe.com/test/payments/{refund.intent_id}" in shown
