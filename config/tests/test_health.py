"""The answers to whoever watches whether this process lives, and whether all goes well."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from djstripe.models import WebhookEndpoint

from config.tests.doctor_faults import REDIS_AWAY, hear_only_by_asking
from config.tests.live import execute, without_database
from conftest import Sandbox
from payments import gateway, stripe_check
from payments.models import InboxEvent
from payments.queue import enqueue
from payments.tests import support
from shop.clock import now

PARTS = ("database", "queue", "webhook", "inbox", "cache", "stripe")
ALL_WELL = dict.fromkeys(PARTS, "ok")


def deep_answer() -> tuple[int, str, dict[str, str]]:
    answer = Client().get("/health/deep")
    told = answer.json()
    return answer.status_code, told["status"], told["checks"]


def is_ill(**words: str) -> tuple[int, str, dict[str, str]]:
    return 503, "unhealthy", ALL_WELL | words


@pytest.fixture
def all_well(db: None) -> None:
    """A worker that beats, nothing that waits, an endpoint, and Stripe asked just now."""
    support.endpoint_row()
    execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
    cache.set("stripe-check", ("ok", now()), timeout=None)


@pytest.mark.django_db
def test_a_process_that_reaches_its_database_is_healthy() -> None:
    answer = Client().get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


@pytest.mark.django_db(transaction=True)
def test_a_process_without_its_database_is_not() -> None:
    with without_database():
        answer = Client().get("/health")

    assert (answer.status_code, answer.json()) == (503, {"status": "unhealthy"})


def test_all_is_well_in_the_agreed_form_and_is_never_cached(all_well: None) -> None:
    answer = Client().get("/health/deep")

    told = answer.json()
    assert answer.status_code == 200
    assert list(told) == ["status", "checks", "uptime", "timestamp"]
    assert (told["status"], told["checks"]) == ("healthy", ALL_WELL)
    assert isinstance(told["uptime"], int)
    said_at = datetime.fromisoformat(told["timestamp"])
    assert said_at.utcoffset() == timedelta(0)
    assert timedelta(0) <= datetime.now(UTC) - said_at < timedelta(seconds=30)
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(
    "change", [{"status": "disabled"}, {"secret": ""}, {"livemode": True}], ids=str
)
def test_a_shop_to_which_stripe_cannot_post_is_told(all_well: None, change: dict[str, Any]) -> None:
    WebhookEndpoint.objects.update(**change)

    assert deep_answer() == is_ill(webhook="missing")


def test_an_endpoint_that_an_upgrade_left_behind_is_told(all_well: None) -> None:
    WebhookEndpoint.objects.update(enabled_events=["checkout.session.completed"])

    assert deep_answer() == is_ill(webhook="outdated")


def test_a_webhook_that_refuses_all_that_stripe_posts_is_told(all_well: None) -> None:
    hear_only_by_asking(times=4)
    assert deep_answer()[2]["webhook"] == "ok"

    hear_only_by_asking(times=5)
    assert deep_answer() == is_ill(webhook="silent")

    # Whoever mends the endpoint starts anew.
    WebhookEndpoint.objects.get().save()
    assert deep_answer()[2]["webhook"] == "ok"


@pytest.mark.parametrize(
    ("state", "hours_ago", "word"),
    [
        ("failed", 23, "failed"),
        ("failed", 25, "ok"),
        ("retrying", 2, "behind"),
        ("received", 2, "behind"),
        ("retrying", 0.5, "ok"),
        ("done", 2, "ok"),
        ("ignored", 2, "ok"),
    ],
)
def test_events_that_failed_or_are_tried_for_long_are_told(
    all_well: None, state: str, hours_ago: float, word: str
) -> None:
    InboxEvent.objects.create(
        event_id="evt_1",
        type="charge.updated",
        livemode=False,
        source="webhook",
        state=state,
        received_at=now() - timedelta(hours=hours_ago),
    )

    assert deep_answer()[2]["inbox"] == word


def test_head_is_answered_and_post_is_not(all_well: None) -> None:
    assert Client().head("/health/deep").status_code == 200
    assert Client().post("/health/deep").status_code == 405


def test_asking_costs_few_queries(all_well: None, django_assert_num_queries: Any) -> None:
    # A transaction with seven queries; in a test it is a savepoint.
    with django_assert_num_queries(9):
        Client().get("/health/deep")


@pytest.mark.django_db(transaction=True)
def test_without_the_database_the_rest_is_still_told() -> None:
    cache.set("stripe-check", ("ok", now()), timeout=None)

    with without_database():
        answer = deep_answer()

    assert answer == is_ill(
        database="unreachable", queue="unknown", webhook="unknown", inbox="unknown"
    )


@pytest.mark.django_db(transaction=True)
def test_a_cache_in_the_database_goes_with_it(settings: Any) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache",
        }
    }

    with without_database():
        answer = deep_answer()

    assert answer == (
        503,
        "unhealthy",
        {
            "database": "unreachable",
            "queue": "unknown",
            "webhook": "unknown",
            "inbox": "unknown",
            "cache": "unreachable",
            "stripe": "unknown",
        },
    )


def test_a_redis_that_is_away_is_told_although_the_shop_goes_on(
    all_well: None, settings: Any
) -> None:
    settings.CACHES = REDIS_AWAY

    assert deep_answer() == is_ill(cache="unreachable", stripe="unknown")


@pytest.mark.parametrize("silent_for", [31, None])
def test_a_worker_that_is_silent_or_absent_is_missed(
    all_well: None, silent_for: int | None
) -> None:
    if silent_for is None:
        execute("DELETE FROM procrastinate_workers")
    else:
        execute(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - make_interval(secs => %s)",
            silent_for,
        )

    assert deep_answer() == is_ill(queue="no worker")


@pytest.mark.parametrize(
    ("queue", "waited", "word"),
    [
        ("webhooks", 110, "ok"),
        ("webhooks", 130, "behind"),
        ("mail", 290, "ok"),
        ("mail", 310, "behind"),
        ("images", 3500, "ok"),
        ("images", 3700, "behind"),
    ],
)
def test_how_long_a_job_may_wait_depends_on_who_waits_for_it(
    all_well: None, queue: str, waited: int, word: str
) -> None:
    enqueue("end_attempt", attempt_id=1)
    execute("UPDATE procrastinate_jobs SET queue_name = %s", queue)
    execute("UPDATE procrastinate_events SET at = now() - make_interval(secs => %s)", waited)

    assert deep_answer()[2]["queue"] == word


@pytest.mark.parametrize(("due_in", "word"), [(600, "ok"), (-600, "behind")])
def test_a_job_waits_from_when_it_is_due(all_well: None, due_in: int, word: str) -> None:
    enqueue("end_attempt", attempt_id=1)
    execute("UPDATE procrastinate_events SET at = now() - interval '1 day'")
    execute(
        "UPDATE procrastinate_jobs SET scheduled_at = now() + make_interval(secs => %s)", due_in
    )

    assert deep_answer()[2]["queue"] == word


def test_a_job_that_runs_or_failed_does_not_wait(all_well: None) -> None:
    for status in ("doing", "failed"):
        enqueue("end_attempt", attempt_id=1)
        execute("UPDATE procrastinate_jobs SET status = %s WHERE status = 'todo'", status)
    execute("UPDATE procrastinate_events SET at = now() - interval '1 day'")

    assert deep_answer() == (200, "healthy", ALL_WELL)


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (None, "ok"),
        ("refuse", "unreachable"),
        ("error_before", "unreachable"),
        ("rate_limit", "unreachable"),
    ],
)
def test_what_stripe_answered_to_the_worker_is_told(
    all_well: None, sandbox: Sandbox, fault: str | None, word: str
) -> None:
    if fault:
        sandbox.fault(kind=fault, path="/v1/account")

    stripe_check.ask(at=now())
    # The view itself asks nobody: this would fail it.
    sandbox.fault(kind="refuse", path="/", times=None)

    assert deep_answer()[2] == ALL_WELL | {"stripe": word}


def test_a_key_that_stripe_refuses_is_told(all_well: None, sandbox: Sandbox, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_" + "rolled00" * 3
    gateway.client.cache_clear()
    try:
        stripe_check.ask(at=now())
    finally:
        gateway.client.cache_clear()

    assert deep_answer() == is_ill(stripe="unauthorized")


def test_stripes_word_grows_stale_and_may_be_missing(all_well: None) -> None:
    asked_at = now() - timedelta(minutes=3)
    cache.set("stripe-check", ("ok", asked_at), timeout=None)
    stale = deep_answer()
    cache.delete("stripe-check")

    assert (stale, deep_answer()) == (is_ill(stripe="stale"), is_ill(stripe="unknown"))
