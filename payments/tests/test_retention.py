"""What Stripe wrote is let go of when it has served; that it came is remembered for good."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from djstripe.models import Event

from payments.models import InboxEvent
from payments.services import inbox, retention
from payments.tasks import mirror_event, prune_inbox
from payments.tests import support
from payments.tests.snapshots import everything
from shop.clock import now
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

PAYLOAD = {"id": "evt_1", "type": "charge.updated", "livemode": False, "created": 1_700_000_000}


def an_event(event_id: str, state: str, finished_at: datetime | None) -> InboxEvent:
    return InboxEvent.objects.create(
        event_id=event_id,
        type="charge.updated",
        payload=PAYLOAD | {"id": event_id},
        livemode=False,
        source="webhook",
        state=state,
        received_at=now() - timedelta(days=400),
        finished_at=finished_at,
    )


def kept() -> set[str]:
    return set(
        InboxEvent.objects.exclude(payload=None).values_list("event_id", flat=True),
    )


def test_payloads_go_when_their_event_was_finished_long_enough_ago() -> None:
    at = now()
    keep = timedelta(days=30)
    an_event("evt_done", "done", at - keep - timedelta(seconds=1))
    an_event("evt_ignored", "ignored", at - keep - timedelta(seconds=1))
    an_event("evt_young", "done", at - keep + timedelta(seconds=1))

    assert retention.prune(at=at) == 2
    assert retention.prune(at=at) == 0

    assert kept() == {"evt_young"}
    assert InboxEvent.objects.count() == 3


@pytest.mark.parametrize("state", ["received", "retrying", "failed"])
def test_what_is_not_processed_keeps_its_payload_however_old(state: str) -> None:
    long_ago = now() - timedelta(days=300)
    an_event("evt_1", state, None)
    # Not even if somebody had finished it once.
    an_event("evt_2", state, long_ago)

    prune_inbox.func(0)

    assert kept() == {"evt_1", "evt_2"}


def test_the_days_are_a_setting_and_batches_are_many(settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(retention, "_BATCH", 2)
    settings.INBOX_KEEP_DAYS = 3
    at = now()
    for number in range(5):
        an_event(f"evt_{number}", "done", at - timedelta(days=4))

    assert retention.prune(at=at) == 5

    assert kept() == set()


def test_a_pruned_event_is_known_when_it_comes_again_and_is_not_copied() -> None:
    row = an_event("evt_1", "done", now() - timedelta(days=31))
    retention.prune(at=now())
    before = everything()

    assert inbox.store(payload=PAYLOAD, source=InboxEvent.Source.RECONCILE, at=now()) is False
    inbox.process(inbox_id=row.pk, at=now())
    mirror_event.func(row.pk)

    assert everything() == before


def test_dj_stripes_copies_of_events_go_with_age_and_the_story_stays(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    support.hear(sandbox.events(), but=())
    story = list(attempt.order.events.values())
    made_at = set(InboxEvent.objects.values_list("made_at", flat=True))
    assert Event.objects.count() == 2

    retention.prune(at=now() + timedelta(days=31))

    assert (Event.objects.count(), kept()) == (0, set())
    assert list(attempt.order.events.values()) == story
    assert set(InboxEvent.objects.values_list("made_at", flat=True)) == made_at
