"""Each invariant of the design as SQL that finds what breaks it.

Plain SQL, and not the models' own queries: what a check repeats of the code that it judges, it
cannot judge. The database does the work, and offenders are streamed, so that a million orders need
no more memory than ten.
"""

from bisect import insort
from collections.abc import Iterator
from datetime import datetime
from operator import attrgetter

from payments.audit.money_checks import MONEY_CHECKS
from payments.audit.order_checks import ORDER_CHECKS
from payments.audit.sql import Check, Offender, streamed

CHECKS = sorted(ORDER_CHECKS + MONEY_CHECKS, key=attrgetter("invariant"))


def add(check: Check) -> None:
    """Have a check of an app above, which is unknown here, made too: for its start-up."""
    insort(CHECKS, check, key=attrgetter("invariant"))


def offenders(check: Check, *, at: datetime) -> Iterator[Offender]:
    """Find what breaks this invariant at the moment `at`, as it stands in one snapshot."""
    yield from streamed(check.sql, {"at": at})
