"""Mails that tell of nothing, and facts that nobody was told of."""

from typing import Any
from uuid import uuid4

import pytest

from orders import services as orders
from orders.models import Order, OrderMail, Reason, Review
from payments import gateway
from payments.models import PaymentAttempt
from payments.services import canceling, disputes, fulfilling, staff_orders
from payments.tests import support
from payments.tests.audits import behind_the_trigger, execute, found, shop_at_rest, undone

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(sandbox: Any) -> dict[str, Order]:
    return shop_at_rest(sandbox)


def test_a_mail_about_nothing(shop: dict[str, Order]) -> None:
    for kind in OrderMail.Kind:
        with undone():
            mail = OrderMail.objects.create(
                order=shop["waiting"], kind=kind, cause="re_1", due_at=support.stripe_now()
            )

            assert found() == {"mails": [f"mail {mail.pk}"]}


def test_mails_about_a_parcel_and_to_who_is_to_pay_for_an_order_of_staff(
    shop: dict[str, Order],
) -> None:
    at, paid = support.stripe_now(), shop["paid"]
    quantities = {line.pk: line.quantity for line in paid.lines.all()}
    fulfilling.hand_over(order_id=paid.pk, quantities=quantities, by=7, at=at, is_told=True)
    staff_orders.place(
        buyer=support.a_buyer(),
        quantities={paid.lines.get().variant_id: 1},
        by=7,
        at=at,
        key=uuid4(),
    )

    kinds = OrderMail.objects.filter(kind__in=["sent", "payment_link"])
    assert kinds.count() == 2
    assert found() == {}


def test_an_inquiry_and_the_dispute_that_it_becomes_have_a_mail_each(
    sandbox: Any, shop: dict[str, Order]
) -> None:
    order = shop["paid"]
    intent_id = order.attempts.get().intent_id or ""
    inquiry = sandbox.dispute(intent_id, inquiry=True)
    for action in ("submit", "escalate"):
        made = gateway.disputes_of_intent(intent_id)
        disputes.follow(order_id=order.pk, made=made, cause="", at=support.stripe_now())
        sandbox.move_dispute(inquiry["id"], action)
    made = gateway.disputes_of_intent(intent_id)
    disputes.follow(order_id=order.pk, made=made, cause="", at=support.stripe_now())

    assert order.mails.filter(kind="dispute").count() == 2
    assert found() == {}


def test_a_mail_that_is_not_sent_within_a_day(shop: dict[str, Order]) -> None:
    sent, *unsent = OrderMail.objects.all()
    OrderMail.objects.filter(pk=sent.pk).update(sent_at=sent.due_at)

    assert found("mails", hours=23) == {}
    assert found("mails", hours=25) == {"mails": sorted(f"mail {mail.pk}" for mail in unsent)}


def test_a_mail_owed_twice(shop: dict[str, Order]) -> None:
    execute("ALTER TABLE orders_ordermail DROP CONSTRAINT order_mail_once")
    mail = shop["paid"].mails.get()
    mail.pk = None
    mail.save()

    assert found() == {"mails": [f"order {shop['paid'].number}"]}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("paid", "confirmation"),
        ("refunded", "confirmation"),
        ("partly", "confirmation"),
        ("refunded", "refund"),
        ("partly", "refund"),
    ],
)
def test_a_mail_that_nobody_was_owed(shop: dict[str, Order], name: str, kind: str) -> None:
    shop[name].mails.get(kind=kind).delete()

    assert found() == {"mails": [f"order {shop[name].number}"]}


def test_a_refund_that_failed_and_nobody_was_told(shop: dict[str, Order]) -> None:
    refund = shop["partly"].refunds.get()
    behind_the_trigger("DELETE FROM payments_ledgerentry WHERE stripe_id = %s", refund.stripe_id)
    execute("UPDATE payments_refund SET state = 'failed' WHERE id = %s", refund.pk)
    assert found() == {"mails": [f"order {shop['partly'].number}"]}

    shop["partly"].mails.create(
        kind="refund_failed", cause=str(refund.key), due_at=support.stripe_now()
    )
    assert found() == {}


@pytest.fixture
def upgraded(shop: dict[str, Order]) -> dict[str, Order]:
    """The shop two hours after the first mail that version 0.2.0 did not know."""
    execute("UPDATE orders_ordermail SET due_at = due_at - interval '2 hours'")
    return shop


def test_a_canceled_order_whose_buyer_was_not_told(upgraded: dict[str, Order]) -> None:
    waiting, at = upgraded["waiting"], support.stripe_now()
    canceling.cancel(order_id=waiting.pk, reason=Reason.BUYER, at=at)
    assert found() == {}

    waiting.mails.get().delete()
    assert found() == {"mails": [f"order {waiting.number}"]}

    OrderMail.objects.filter(kind="refund").update(due_at=at)
    assert found() == {}, "version 0.2.0 may have canceled it, and told nobody"


def test_a_payment_on_its_way_and_a_review_that_nobody_was_told_of(
    upgraded: dict[str, Order],
) -> None:
    waiting, at = upgraded["waiting"], support.stripe_now()
    name = f"order {waiting.number}"
    with undone():
        PaymentAttempt.objects.filter(order=waiting).update(state="processing")
        assert found() == {"mails": [name]}
    with undone():
        review = orders.open_review(
            order=waiting, reason=Review.Reason.MISMATCH, cause="ch_1", detail="", at=at
        )
        assert found() == {}

        waiting.mails.get().delete()
        assert found() == {"mails": [name]}

        with undone():
            Review.objects.filter(pk=review.pk).update(reason="stock")
            assert found() == {}
        OrderMail.objects.filter(kind="refund").update(due_at=at)
        assert found() == {}, "version 0.2.0 may have opened it, and told nobody"
