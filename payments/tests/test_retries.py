"""How long the shop waits for what passes by itself, and how often it tries what does not."""

from itertools import count, takewhile

from django.db import OperationalError

from payments import gateway
from payments.retries import seconds_until_retry
from payments.services.settling import StaleRead, UnknownAttempt


def waits(error: Exception) -> list[float]:
    retries = (seconds_until_retry(error, earlier) for earlier in count())
    return [wait for wait in takewhile(lambda wait: wait is not None, retries) if wait is not None]


def test_a_passing_failure_is_retried_for_three_days_with_waits_of_five_minutes_at_most() -> None:
    for error in (gateway.Unreachable(), gateway.Busy(), StaleRead(), OperationalError()):
        seconds = waits(error)

        assert seconds[:7] == [5, 10, 20, 40, 80, 160, 300]
        assert max(seconds) == 300
        assert sum(seconds) >= 3 * 24 * 3600


def test_a_failure_of_our_own_is_tried_five_times() -> None:
    for error in (UnknownAttempt(), gateway.Refused(), ValueError()):
        assert waits(error) == [5, 10, 20, 40]
