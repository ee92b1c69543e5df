"""How long the shop waits for what passes by itself, and how often it tries what does not."""

import random
from itertools import count, takewhile

import pytest
from django.db import OperationalError
from procrastinate.jobs import Job
from procrastinate.utils import utcnow

from payments import gateway
from payments.retries import Patiently, seconds_until_retry
from payments.services.settling import StaleRead, UnknownAttempt


def waits(error: Exception) -> list[float]:
    retries = (seconds_until_retry(error, earlier) for earlier in count())
    return [wait for wait in takewhile(lambda wait: wait is not None, retries) if wait is not None]


@pytest.fixture(params=["shortest", "longest"])
def shortest(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Draw the shortest wait each time, or the longest; tell which."""
    place = 0 if request.param == "shortest" else 1
    monkeypatch.setattr(random, "uniform", lambda *bounds: bounds[place])
    return place == 0


def test_a_passing_failure_is_retried_for_three_days_with_waits_of_five_minutes_at_most(
    shortest: bool,
) -> None:
    for error in (gateway.Unreachable(), gateway.Busy(), StaleRead(), OperationalError()):
        seconds = waits(error)

        assert seconds[:7] == (
            [3.75, 7.5, 15, 30, 60, 120, 180] if shortest else [6.25, 12.5, 25, 50, 100, 200, 300]
        )
        assert set(seconds[6:]) == {180 if shortest else 300}
        assert sum(seconds) >= 3 * 24 * 3600


def test_a_failure_of_our_own_is_tried_five_times(shortest: bool) -> None:
    for error in (UnknownAttempt(), gateway.Refused(), ValueError()):
        assert waits(error) == ([3.75, 7.5, 15, 30] if shortest else [6.25, 12.5, 25, 50])


def test_jobs_that_failed_together_do_not_come_back_together() -> None:
    seconds = [seconds_until_retry(gateway.Unreachable(), 500) or 0 for _ in range(100)]

    assert len(set(seconds)) > 90
    assert 180 <= min(seconds) < 210
    assert 270 < max(seconds) <= 300


def tried(job: Job, error: Exception) -> tuple[Job, float | None]:
    """Let a job fail once; return what it is then, and its wait, or None after its last try."""
    decision = Patiently().get_retry_decision(exception=error, job=job)
    if decision is None:
        return job, None
    assert decision.priority is not None
    assert decision.retry_at is not None
    job = job.evolve(attempts=job.attempts + 1, priority=decision.priority)
    return job, (decision.retry_at - utcnow()).total_seconds()


def test_who_waited_out_an_outage_has_all_tries_for_an_error_of_its_own(shortest: bool) -> None:
    job = Job(
        id=1, queue="webhooks", lock=None, queueing_lock=None, task_name="process_event", attempts=0
    )
    away, own = gateway.Unreachable(), ValueError()
    for _ in range(1000):
        job, wait = tried(job, away)
        assert wait is not None

    seconds = []
    for error in (own, own, away, own, own, own):
        job, wait = tried(job, error)
        seconds.append(wait)

    expected = [3.75, 7.5, 180, 15, 30] if shortest else [6.25, 12.5, 300, 25, 50]
    assert seconds[:5] == pytest.approx(expected, abs=0.5)
    assert seconds[5] is None, "the fifth of its own is the last"
    assert (job.attempts, job.priority) == (1005, -4)
