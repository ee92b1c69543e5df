"""When a job that failed is run again."""

import random

from django.conf import settings
from django.db import OperationalError
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from payments import gateway
from payments.services.erasing import StillCopied
from payments.services.refund_news import UnbookedPayment
from payments.services.settling import StaleRead

# Stripe away, a lock held too long, an answer older than the event, a job that is to end first:
# time alone mends these.
PASSING = (
    gateway.Unreachable,
    gateway.Busy,
    gateway.KeyInUse,
    gateway.NotAvailable,
    StaleRead,
    StillCopied,
    UnbookedPayment,
    OperationalError,
)
# With waits of three to five minutes, three days and more.
_PASSING_TRIES = 1500
_OWN_TRIES = 5


def seconds_until_retry(error: BaseException, earlier_tries: int) -> float | None:
    """Return how long to wait after this failure, or None when it is final.

    `earlier_tries` are those that failed in the same way, as `tries_before` counts them.
    """
    tries = _PASSING_TRIES if isinstance(error, PASSING) else _OWN_TRIES
    if earlier_tries + 1 >= tries:
        return None
    # Capped before it is raised: two to the fifteen hundredth is no number of seconds. Capped
    # before it is spread, too: the longest waits are those that most jobs have in common.
    wait = settings.RETRY_FIRST_SECONDS * 2 ** min(earlier_tries, 16)
    spread = random.uniform(0.75, 1.25)  # noqa: S311 - a wait, not a secret
    return min(float(wait), settings.RETRY_LONGEST_SECONDS / 1.25) * spread


def tries_before(error: BaseException, job: Job) -> int:
    """Return how many tries of a job failed like this one before: by what passes, or by itself.

    Each failure of its own has cost it one of its priority: what may never work lets others go
    first, and whoever waited out an outage still has all the tries that an error of its own has.
    """
    own = -job.priority
    return job.attempts - own if isinstance(error, PASSING) else own


class Patiently(BaseRetryStrategy):
    """Days for a failure that passes by itself, a few tries for one of our own.

    For jobs whose priority begins at zero.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        seconds = seconds_until_retry(exception, tries_before(exception, job))
        if seconds is None:
            return None
        cost = 0 if isinstance(exception, PASSING) else 1
        return RetryDecision(
            retry_in={"milliseconds": round(seconds * 1000)}, priority=job.priority - cost
        )
