"""The shop's one clock.

Views, commands and jobs read it once, at the edge, and pass the moment down as `at=`.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings


def now() -> datetime:
    """Return the current moment in UTC, moved by the offset that tests keep in a file.

    The offset is a whole number of seconds in the file named by CLOCK_OFFSET_FILE, which settings
    accept in tests only; the Stripe sandbox reads the same file.
    """
    return datetime.now(UTC) + _offset()


def _offset() -> timedelta:
    if not settings.CLOCK_OFFSET_FILE:
        return timedelta()
    try:
        return timedelta(seconds=int(Path(settings.CLOCK_OFFSET_FILE).read_text() or 0))
    except FileNotFoundError:
        return timedelta()
