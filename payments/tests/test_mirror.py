"""dj-stripe's copies of Stripe's objects, made by a job of their own."""

from typing import Any

import pytest
from djstripe.models import BalanceTransaction, Charge, Event, PaymentIntent, Session

from payments import gateway
from payments.models import InboxEvent
from payments.tasks import mirror_event
from payments.tests import support
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def test_a_processed_event_and_its_objects_are_mirrored_once(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    sandbox.post("clock", advance=10)

    support.hear(sandbox.events() * 2, but=())

    attempt.refresh_from_db()
    assert [session.id for session in Session.objects.all()] == [attempt.session_id]
    assert [intent.id for intent in PaymentIntent.objects.all()] == [attempt.intent_id]
    assert Charge.objects.get().stripe_data["amount"] == attempt.amount_minor
    assert BalanceTransaction.objects.count() == 1
    assert sorted(Event.objects.values_list("type", flat=True)) == [
        "charge.updated",
        "checkout.session.completed",
        "payment_intent.succeeded",
    ]


def test_an_outage_of_stripe_is_waited_out_by_the_mirror_too(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    support.hear(sandbox.events())
    done = InboxEvent.objects.get(type="checkout.session.completed", state="done")
    sandbox.fault(kind="error_before", times=None)

    with pytest.raises(gateway.Unreachable):
        mirror_event.func(done.pk)

    assert Session.objects.count() == 0
