"""When a job that failed is run again."""

from django.conf import settings
from django.db import OperationalError
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from payments import gateway
from payments.services.refund_news import UnbookedPayment
from payments.services.settling import StaleRead

# Stripe away, a lock held too long, an answer older than the event: time alone mends these.
PASSING = (
    gateway.Unreachable,
    gateway.Busy,
    gateway.KeyInUse,
    gateway.NotAvailable,
    StaleRead,
    UnbookedPayment,
    OperationalError,
)
# With waits capped at five minutes, three days and more.
_PASSING_TRIES = 900
_OTHER_TRIES = 5


def seconds_until_retry(error: BaseException, earlier_tries: int) -> float | None:
    """Return how long to wait after this failure, or None when it is final."""
    tries = _PASSING_TRIES if isinstance(error, PASSING) else _OTHER_TRIES
    if earlier_tries + 1 >= tries:
        return None
    # Capped before it is raised: two to the nine hundredth is no number of seconds.
    wait = settings.RETRY_FIRST_SECONDS * 2 ** min(earlier_tries, 16)
    return min(float(wait), settings.RETRY_LONGEST_SECONDS)


class Patiently(BaseRetryStrategy):
    """Days for a failure that passes by itself, a few tries for one of our own."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        seconds = seconds_until_retry(exception, job.attempts)
        return None if seconds is None else RetryDecision(retry_in={"seconds": int(seconds)})
