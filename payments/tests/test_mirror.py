"""dj-stripe's copies of Stripe's objects, made by a job of their own."""

from typing import Any

import pytest
from djstripe.models import BalanceTransaction, Charge, Event, PaymentIntent, Session

from payments.tests import support
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def test_a_processed_event_and_its_objects_are_mirrored_once(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    sandbox.post("clock", advance=10)
    for event in sandbox.events() * 2:
        support.deliver(event)

    support.run_jobs(but=())

    attempt.refresh_from_db()
    assert [session.id for session in Session.objects.all()] == [attempt.session_id]
    assert [intent.id for intent in PaymentIntent.objects.all()] == [attempt.intent_id]
    assert Charge.objects.get().stripe_data["amount"] == attempt.amount_minor
    assert BalanceTransaction.objects.count() == 1
    assert sorted(Event.objects.values_list("type", flat=True)) == [
        "charge.updated",
        "checkout.session.completed",
    ]
