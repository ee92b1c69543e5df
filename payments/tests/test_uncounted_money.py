"""A payment that the books cannot hold, of a currency or sum that we do not count: asked about."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from orders.models import Reason, Review, Status
from payments.models import Dispute, InboxEvent, LedgerEntry, PaymentAttempt
from payments.services import attempts, canceling, holds, manual, reviews
from payments.services.refunds import CannotRefund
from payments.tests import support
from payments.tests.audits import drift, found
from payments.tests.money_back import mails
from shop.money import UnsupportedCurrency
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def by_event(sandbox: Any, attempt: PaymentAttempt) -> None:
    support.hear_all(sandbox)


def by_asking(sandbox: Any, attempt: PaymentAttempt) -> None:
    attempts.reconcile(attempt=attempt, at=support.stripe_now())


def by_expiry(sandbox: Any, attempt: PaymentAttempt) -> None:
    order = support.reread(attempt.order)
    assert not holds.expire(order_id=order.pk, at=order.hold_until + timedelta(seconds=1))


def by_canceling(sandbox: Any, attempt: PaymentAttempt) -> None:
    with pytest.raises(canceling.CannotCancel, match="is being looked into"):
        canceling.cancel(
            order_id=attempt.order_id, reason=Reason.STAFF, at=support.stripe_now(), by=7
        )


@pytest.mark.parametrize("hear", [by_event, by_asking, by_expiry, by_canceling])
@pytest.mark.parametrize("currency", ["krw", "isk"])
def test_a_person_is_asked_about_it_however_we_learn_of_it(
    currency: str, hear: Callable[[Any, PaymentAttempt], None], sandbox: Any
) -> None:
    attempt = _paid_in(sandbox, currency)

    hear(sandbox, attempt)
    support.run_jobs()
    support.hear_all(sandbox)
    by_asking(sandbox, attempt)

    attempt.refresh_from_db()
    review = Review.objects.get()
    charge = _charge_of(attempt)
    took = f"{charge['amount']} {currency.upper()}"
    assert (review.reason, review.cause, review.resolved_at) == ("mismatch", charge["id"], None)
    assert review.detail.startswith("Nothing is booked: this shop cannot count the " + took)
    assert f"currency: asked EUR, got {currency.upper()}" in review.detail
    assert (attempt.state, attempt.closed_as) == ("closed", "failed")
    assert LedgerEntry.objects.count() == 0
    assert support.reread(attempt.order).status == Status.PENDING
    assert mails(attempt.order) == ["in_review"]
    assert not InboxEvent.objects.filter(state="failed").exists()
    assert found() == {}


def test_an_intent_of_an_apps_is_no_other(sandbox: Any) -> None:
    order = support.checkout(support.cart_with(VariantFactory())).order
    attempt = attempts.open_attempt(
        order_id=order.pk, at=support.stripe_now(), kind=PaymentAttempt.Kind.INTENT
    )
    sandbox.fault(kind="wrong_currency", currency="krw")
    support.confirm_intent(attempt.intent_id or "", attempt.client_secret)

    by_asking(sandbox, attempt)

    attempt.refresh_from_db()
    assert (attempt.state, Review.objects.get().reason) == ("closed", "mismatch")


def test_given_back_at_stripe_and_accepted_it_leaves_the_order_canceled(sandbox: Any) -> None:
    review = _asked_about(sandbox)
    with pytest.raises(CannotRefund, match="names no money that we have"):
        reviews.refund(review_id=review.pk, by=7, at=support.stripe_now())
    sandbox.refund_in_dashboard(review.order.attempts.get().intent_id)
    support.hear_all(sandbox)

    reviews.accept(review_id=review.pk, by=7, at=support.stripe_now())

    order = support.reread(review.order)
    variant = order.lines.get().variant
    assert (order.status, variant.reserved, order.refunds.count()) == (Status.CANCELED, 0, 0)
    assert set(InboxEvent.objects.values_list("state", flat=True)) == {"done", "ignored"}
    assert "Nothing was charged" not in support.text_of_page(order)
    assert found() == {}


def test_kept_and_settled_by_hand_it_pays_the_order(sandbox: Any) -> None:
    review = _asked_about(sandbox)
    order = review.order
    entry = manual.Entry(order.total_minor, order.currency, uuid4(), review_id=review.pk)

    manual.book(order_id=order.pk, entry=entry, by=7, at=support.stripe_now())

    review.refresh_from_db()
    assert (support.reread(order).status, review.resolution) == (Status.PAID, "manual")
    assert found() == {}


def test_a_dispute_of_it_is_an_event_that_fails(sandbox: Any) -> None:
    review = _asked_about(sandbox)
    sandbox.dispute(review.order.attempts.get().intent_id)

    with pytest.raises(UnsupportedCurrency):
        support.hear_all(sandbox)

    assert Dispute.objects.count() == LedgerEntry.objects.count() == 0


def test_the_audit_names_it_as_stripe_counts_it_if_it_is_ours(sandbox: Any) -> None:
    review = _asked_about(sandbox)
    sandbox.fault(kind="wrong_currency", currency="krw")
    sandbox.post("events", kind="foreign", metadata={"app": "another"})

    charge = _charge_of(review.order.attempts.get())
    said = f"Stripe says {charge['amount']} KRW, nothing is booked"
    assert drift() == [(f"capture {charge['id']}", said)]


def _paid_in(sandbox: Any, currency: str) -> PaymentAttempt:
    """Return an open attempt whose page took its sum in another currency; nobody heard of it."""
    attempt = support.checkout(support.cart_with(VariantFactory(price_minor=24_90)))
    sandbox.fault(kind="wrong_currency", currency=currency)
    sandbox.pay(attempt.url)
    return attempt


def _asked_about(sandbox: Any) -> Review:
    by_asking(sandbox, _paid_in(sandbox, "krw"))
    support.run_jobs()
    return Review.objects.get()


def _charge_of(attempt: PaymentAttempt) -> Any:
    attempt.refresh_from_db()
    intent = support.stripe_get(f"payment_intents/{attempt.intent_id}?expand[]=latest_charge")
    return intent["latest_charge"]
