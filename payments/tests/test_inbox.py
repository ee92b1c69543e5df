"""Stripe's events: whose they are, how often they may come, how they fail and run again."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from orders.models import Order
from payments.models import InboxEvent
from payments.services import attempts, counters, inbox, news, retention, settling
from payments.services.settling import StaleRead
from payments.tasks import requeue_stranded_events
from payments.tests import support
from payments.tests.audits import audit
from payments.tests.snapshots import everything
from shop.clock import now
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

TEMPLATE = {"object": "event", "api_version": "2026-05-27.dahlia", "livemode": False}


def event(event_type: str, found: dict[str, Any], event_id: str = "evt_1") -> InboxEvent:
    """Return a stored event about an object as Stripe shows it now."""
    payload = TEMPLATE | {
        "id": event_id,
        "type": event_type,
        "created": 1_700_000_000,
        "data": {"object": found},
    }
    inbox.store(payload=payload, source=InboxEvent.Source.WEBHOOK, at=now())
    return InboxEvent.objects.get(event_id=event_id)


def paid(sandbox: Any) -> tuple[Order, dict[str, Any]]:
    """Return an order that is paid, its events processed, and its charge as Stripe shows it."""
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    sandbox.post("clock", advance=10)
    support.hear(sandbox.events())
    charge = support.stripe_get("charges?limit=1")["data"][0]
    return support.reread(attempt.order), charge


def queued() -> int:
    return ProcrastinateJob.objects.filter(
        task_name="payments.tasks.process_event", status="todo"
    ).count()


@pytest.mark.parametrize(
    ("event_type", "kind"),
    [
        ("charge.updated", "charge"),
        ("charge.refunded", "charge"),
        ("refund.created", "refund"),
        ("charge.dispute.created", "dispute"),
    ],
)
@pytest.mark.parametrize("intent", [{}, {"payment_intent": None}], ids=["left out", "none"])
def test_what_belongs_to_no_intent_is_nobodys(
    event_type: str, kind: str, intent: dict[str, None]
) -> None:
    row = event(event_type, {"id": "x_1", "object": kind} | intent)

    support.run_jobs()

    row.refresh_from_db()
    assert (row.state, row.attempts, row.order) == ("ignored", 1, None)


def test_refunds_and_disputes_of_another_sites_charge_are_ignored(sandbox: Any) -> None:
    session = sandbox.post("events", kind="foreign", metadata={"app": "another"})["session"]
    intent = session["payment_intent"]
    sandbox.refund_in_dashboard(intent, amount=300)
    sandbox.dispute(intent, amount=200)
    before = everything()

    support.hear(sandbox.events())

    rows = InboxEvent.objects.all()
    assert {row.state for row in rows} == {"ignored"}
    assert {"refund.created", "charge.refunded", "charge.dispute.created"} <= {
        row.type for row in rows
    }
    inbox_label = InboxEvent._meta.label
    after = everything()
    assert after.pop(inbox_label) != before.pop(inbox_label)
    assert {name for name in after if after[name] != before[name]} == {
        "djstripe.WebhookEndpoint"  # made by the first delivery
    }


def unknown_payment(sandbox: Any) -> InboxEvent:
    """Return the event of a payment with our tag that names no attempt, and its job."""
    support.checkout(support.cart_with(VariantFactory()))
    sandbox.post("events", kind="unknown")
    (told,) = [e for e in sandbox.events() if e["type"] == "checkout.session.completed"]
    support.deliver(told)
    return InboxEvent.objects.get()


def fail(row: InboxEvent, tries: int = 5) -> None:
    """Try to process it until it ends failed, as the worker does, and take its job away."""
    for earlier in range(5 - tries, 5):
        with pytest.raises(settling.UnknownAttempt) as failure:
            inbox.process(inbox_id=row.pk, at=now())
        inbox.record_failure(inbox_id=row.pk, error=failure.value, earlier_tries=earlier)
    ProcrastinateJob.objects.filter(task_name="payments.tasks.process_event").delete()
    row.refresh_from_db()


def test_a_payment_with_our_tag_and_no_attempt_ends_failed_and_says_why(sandbox: Any) -> None:
    row = unknown_payment(sandbox)

    fail(row)

    assert (row.state, row.attempts, row.order) == ("failed", 5, None)
    assert row.last_error.startswith("UnknownAttempt: cs_")


def test_what_is_set_aside_rings_no_more_yet_the_audit_names_it(sandbox: Any) -> None:
    row = unknown_payment(sandbox)
    fail(row)
    charge_id = support.stripe_get("charges?limit=1")["data"][0]["id"]
    assert counters.inbox(at=now())["failed"].count == 1

    at = now()
    aside = inbox.set_aside(inbox_ids=[row.pk], why="Given back by hand", at=at)

    assert list(aside) == [row]
    row.refresh_from_db()
    assert (row.state, row.finished_at, row.attempts) == ("ignored", at, 5)
    assert row.set_aside_why == "Given back by hand"
    assert row.last_error.startswith("UnknownAttempt: cs_")
    assert {waiting.count for waiting in counters.inbox(at=now()).values()} == {0}
    # What just happened is not missed yet.
    sandbox.post("clock", advance=11 * 60)
    code, said = audit("--stripe")
    assert code == 1
    assert f"capture {charge_id}" in said


def test_what_was_set_aside_truly_runs_again_when_a_person_says_so(sandbox: Any) -> None:
    row = unknown_payment(sandbox)
    fail(row)
    inbox.set_aside(inbox_ids=[row.pk], why="By mistake", at=now())

    inbox.process(inbox_id=row.pk, at=now())
    assert (inbox.retry(inbox_ids=[row.pk]), queued()) == (1, 1)

    row.refresh_from_db()
    assert (row.state, row.finished_at, row.set_aside_why) == ("received", None, "")
    fail(row, tries=1)
    assert (row.state, row.attempts) == ("failed", 6)


def test_only_what_failed_is_set_aside(sandbox: Any) -> None:
    row = unknown_payment(sandbox)
    for state in ("received", "retrying", "done", "ignored"):
        InboxEvent.objects.update(state=state)
        before = InboxEvent.objects.values().get()

        assert list(inbox.set_aside(inbox_ids=[row.pk], why="Why not", at=now())) == []

        assert InboxEvent.objects.values().get() == before


def test_what_was_set_aside_is_pruned_as_all_that_is_finished(sandbox: Any, settings: Any) -> None:
    row = unknown_payment(sandbox)
    fail(row)
    at = now()
    inbox.set_aside(inbox_ids=[row.pk], why="Given back by hand", at=at)
    kept_until = at + timedelta(days=settings.INBOX_KEEP_DAYS)

    assert retention.prune(at=kept_until) == 0
    assert retention.prune(at=kept_until + timedelta(seconds=1)) == 1

    # By what Stripe wrote it would know where to look.
    assert (inbox.retry(inbox_ids=[row.pk]), queued()) == (0, 0)


@pytest.mark.parametrize(
    ("event_type", "ahead"),
    [
        ("refund.updated", {"status": "failed"}),
        ("refund.created", {"id": "re_not_listed"}),
        ("charge.dispute.closed", {"status": "lost"}),
        ("charge.dispute.funds_withdrawn", {"balance_transactions": [{"id": "txn_not_listed"}]}),
        ("charge.dispute.created", {"id": "du_not_listed"}),
        ("charge.refunded", {"amount_refunded": 999}),
        ("payment_intent.canceled", {}),
    ],
)
def test_a_reading_that_knows_less_than_its_event_is_asked_for_again(
    sandbox: Any, event_type: str, ahead: dict[str, Any]
) -> None:
    order, charge = paid(sandbox)
    intent = charge["payment_intent"]
    refund = sandbox.refund_in_dashboard(intent, amount=100)
    dispute = sandbox.dispute(intent, amount=200)
    shown = {
        "refund": refund,
        "payment_intent": {"id": intent, "object": "payment_intent"},
        "charge": support.stripe_get(f"charges/{charge['id']}"),
    }
    kind = event_type.split(".")[0]
    found = dispute if "dispute" in event_type else shown[kind]
    as_read = event(event_type, found, "evt_as_read")
    row = event(event_type, found | ahead, "evt_ahead")

    with pytest.raises(StaleRead):
        news.read(row)

    if event_type != "payment_intent.canceled":
        assert news.read(as_read) is not None
    assert order.ledger.filter(kind__in=["refund", "dispute"]).count() == 0


@pytest.mark.parametrize("lagging", ["/v1/checkout/sessions", "/v1/charges"])
def test_a_fee_is_not_lost_to_a_reading_that_lags_behind(sandbox: Any, lagging: str) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    attempts.reconcile(attempt=attempt, at=support.stripe_now())
    sandbox.post("clock", advance=10)
    told = next(told for told in sandbox.events() if told["type"] == "charge.updated")
    row = event("charge.updated", told["data"]["object"])
    sandbox.fault(kind="stale_read", path=lagging, times=1)

    with pytest.raises(StaleRead, match="fee"):
        inbox.process(inbox_id=row.pk, at=now())

    inbox.process(inbox_id=row.pk, at=now())
    assert list(attempt.ledger.values_list("kind", flat=True)) == ["capture", "fee"]


def test_the_end_of_an_inquiry_that_escalated_since_is_old_news(sandbox: Any) -> None:
    _order, charge = paid(sandbox)
    dispute = sandbox.dispute(charge["payment_intent"], amount=200)
    told = {"status": "warning_closed", "balance_transactions": []}

    read = news.read(event("charge.dispute.closed", dispute | told))

    assert read is not None
    assert [found.status for found in read.disputes] == ["needs_response"]


def test_a_thousand_processed_events_change_nothing_when_they_come_again(sandbox: Any) -> None:
    order, _ = paid(sandbox)
    (told,) = [e for e in sandbox.events() if e["type"] == "checkout.session.completed"]
    at = now()
    InboxEvent.objects.bulk_create(
        InboxEvent(
            event_id=f"evt_again_{number}",
            type=told["type"],
            payload=told | {"id": f"evt_again_{number}"},
            livemode=False,
            source=InboxEvent.Source.WEBHOOK,
            state=InboxEvent.State.DONE,
            attempts=1,
            order=order,
            made_at=at,
            received_at=at,
            finished_at=at,
        )
        for number in range(1000)
    )
    rows = list(InboxEvent.objects.filter(event_id__startswith="evt_again_"))
    before, jobs = everything(), queued()

    for row in rows:
        payload = row.payload or {}
        assert inbox.store(payload=payload, source=InboxEvent.Source.RECONCILE, at=at) is False
        inbox.process(inbox_id=row.pk, at=at)
    support.deliver(rows[0].payload or {})
    assert inbox.retry(inbox_ids=[row.pk for row in rows]) == 0
    assert inbox.requeue_stranded(at=at + timedelta(days=1)) == 0

    assert (everything(), queued()) == (before, jobs)


def test_an_event_that_failed_truly_runs_again(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    (told,) = [e for e in sandbox.events() if e["type"] == "checkout.session.completed"]
    support.deliver(told)
    InboxEvent.objects.update(state="failed", attempts=5, last_error="ValueError: ours")
    ProcrastinateJob.objects.all()._raw_delete("default")
    row = InboxEvent.objects.get()

    assert (inbox.retry(inbox_ids=[row.pk]), inbox.retry(inbox_ids=[row.pk])) == (1, 0)
    support.run_jobs()

    row.refresh_from_db()
    assert (row.state, row.attempts, row.last_error, row.order) == ("done", 6, "", attempt.order)
    assert support.reread(attempt.order).status == "paid"


def test_an_event_without_its_job_gets_another_and_one_with_it_none(sandbox: Any) -> None:
    stranded, waits, fresh, doing, failed = (
        event("customer.created", {"id": "cus_1"}, f"evt_{number}") for number in range(5)
    )
    long_ago = now() - timedelta(minutes=6)
    InboxEvent.objects.exclude(pk=fresh.pk).update(received_at=long_ago)
    InboxEvent.objects.filter(pk=stranded.pk).update(state="retrying", attempts=3)
    InboxEvent.objects.filter(pk=failed.pk).update(state="failed")
    with connection.cursor() as cursor:
        without_job = [stranded.pk, fresh.pk, failed.pk]
        cursor.execute(
            "DELETE FROM procrastinate_jobs WHERE (args->>'inbox_id')::int = ANY(%s)", [without_job]
        )
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'doing' WHERE (args->>'inbox_id')::int = %s",
            [doing.pk],
        )

    requeue_stranded_events.func(0)
    requeue_stranded_events.func(0)

    jobs = ProcrastinateJob.objects.filter(status="todo").order_by("pk")
    assert [job.args["inbox_id"] for job in jobs] == [waits.pk, stranded.pk]
    stranded.refresh_from_db()
    assert (stranded.state, stranded.attempts) == ("received", 3)
