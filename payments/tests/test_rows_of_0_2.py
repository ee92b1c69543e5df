"""Version 0.2.0 books captures and fees until it is restarted after the migrations: without their
charge, which is a column that it does not know. Such rows never change, and serve like others.
"""

from typing import Any

import pytest

from orders import services as orders
from orders.models import Order, Review, Status
from payments.admin.money_deeds import RefundForm
from payments.audit import checks, fixes
from payments.audit.stripe_side import GRACE, drift
from payments.models import LedgerEntry
from payments.services import refund_amounts, reviews
from payments.tests import support
from payments.tests.audits import execute, unguarded
from payments.tests.money_back import (
    intent_of,
    learn_fee,
    money,
    paid_order,
    refunded,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(sandbox: Any) -> Order:
    """An order that was paid three hours ago, as that version books it."""
    order = paid_order(sandbox)
    learn_fee(sandbox, order)
    unguarded("payments_ledgerentry")
    execute(
        "UPDATE payments_ledgerentry SET charge_id = '', booked_at = booked_at - interval '3 hours'"
    )
    execute("ALTER TABLE payments_ledgerentry ENABLE TRIGGER USER")
    assert list(order.ledger.values_list("kind", "charge_id")) == [("capture", ""), ("fee", "")]
    return order


def charge_of(order: Order) -> str:
    return order.ledger.get(kind="capture").stripe_id or ""


def assert_audit_finds_nothing() -> None:
    at = support.stripe_now()
    found = [offender for check in checks.CHECKS for offender in checks.offenders(check, at=at)]
    found += drift(at=at + 2 * GRACE, progress=lambda _: None)
    assert found == []


def test_it_is_refunded_by_staff_and_in_the_dashboard(sandbox: Any, order: Order) -> None:
    charge = charge_of(order)
    assert refund_amounts.refundable_minor(order=order, charge_id=charge) == order.total_minor
    assert_audit_finds_nothing()

    assert refunded(order, 2_00, charge_id=charge).state == "succeeded"
    sandbox.refund_in_dashboard(intent_of(order))
    support.hear_all(sandbox)

    assert money(order)[1:] == [("refund", -2_00), ("refund", 2_00 - order.total_minor)]
    assert refund_amounts.refundable_minor(order=order, charge_id=charge) == 0
    assert support.reread(order).status == Status.REFUNDED
    assert LedgerEntry.objects.filter(kind="capture").count() == 1
    assert_audit_finds_nothing()


def test_staff_choose_it_in_the_form(order: Order) -> None:
    assert list(RefundForm(order).captures) == [charge_of(order)]


def test_a_review_that_names_it_is_answered_by_its_refund(order: Order) -> None:
    at = support.stripe_now()
    orders.open_review(
        order=order, reason=Review.Reason.MISMATCH, cause=charge_of(order), detail="", at=at
    )
    review = order.reviews.get()

    reviews.refund(review_id=review.pk, by=7, at=at)
    support.run_jobs()

    review.refresh_from_db()
    assert (review.resolution, support.reread(order).status) == ("refunded", Status.REFUNDED)
    assert_audit_finds_nothing()


def test_a_review_stays_open_until_all_of_it_went_back(order: Order) -> None:
    at = support.stripe_now()
    orders.open_review(
        order=order, reason=Review.Reason.MISMATCH, cause=charge_of(order), detail="", at=at
    )

    refunded(order, 2_00, charge_id=charge_of(order))

    assert order.reviews.get().resolved_at is None


def test_nobody_is_asked_for_a_fee_that_is_known(order: Order) -> None:
    assert list(fixes.fix("fees", at=support.stripe_now())) == []


def test_it_is_ours_whatever_tag_its_payment_carries(order: Order, settings: Any) -> None:
    settings.STRIPE_APP_TAG = "renamed"

    assert_audit_finds_nothing()
