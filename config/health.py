"""What a monitor asks: does this process live, and does all work that it stands on?"""

import os
import secrets
import threading
import time
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.db import DatabaseCache
from django.db import Error, connection, transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from payments import queue_health, stripe_check
from payments.models import InboxEvent
from payments.services import counters, endpoints
from shop.clock import now

OK = "ok"
UNREACHABLE, UNKNOWN = "unreachable", "unknown"
_STARTED = time.monotonic()
_QUERY_MILLISECONDS = 2000
# An event that is tried so long meets more than a moment's weather.
_LONGEST_TRIED = timedelta(hours=1)
# A failed event asks for a person; one that he has left alone for so long rings no more.
_RINGS_FOR = timedelta(days=1)


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Answer 200, or 503 when the database does not answer."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return JsonResponse({"status": "unhealthy"}, status=503)
    return JsonResponse({"status": "healthy"})


@never_cache
@require_safe
def deep(request: HttpRequest) -> JsonResponse:
    """Answer 200 when all is well, else 503, with a word on each part.

    For alarms, not for a load balancer: taking web processes away mends neither Stripe nor a worker
    that is gone. It is open to everybody: the words tell little, and asking costs a few quick
    queries; only the worker ever calls Stripe.
    """
    at = now()
    known = _from_the_database(at)
    cache = cache_word(known["database"])
    checks = {
        **known,
        "cache": cache,
        "stripe": stripe_check.last_word(at=at) if cache == OK else UNKNOWN,
    }
    is_healthy = set(checks.values()) == {OK}
    return JsonResponse(
        {
            "status": "healthy" if is_healthy else "unhealthy",
            "checks": checks,
            "uptime": round(time.monotonic() - _STARTED),
            "timestamp": at.isoformat(timespec="seconds"),
        },
        status=200 if is_healthy else 503,
    )


def _from_the_database(at: datetime) -> dict[str, str]:
    """Return the words on `database`, `queue` (`no worker`, `behind`), `webhook` (`missing`,
    `outdated`, `silent`) and `inbox` (`failed`, `behind`).

    What was learned before the database failed is what there is to say.
    """
    words = {"database": UNREACHABLE, "queue": UNKNOWN, "webhook": UNKNOWN, "inbox": UNKNOWN}
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true)", [str(_QUERY_MILLISECONDS)]
            )
            words["database"] = OK
            words["webhook"] = _webhook()
            if not queue_health.has_worker():
                words["queue"] = "no worker"
            else:
                words["queue"] = "behind" if queue_health.behind() else OK
            words["inbox"] = _inbox(at)
    except Error:
        return words
    return words


def _webhook() -> str:
    endpoint = endpoints.working().filter(livemode=settings.STRIPE_LIVE_MODE).first()
    if endpoint is None:
        return "missing"
    if not endpoints.is_sent_all(endpoint):
        return "outdated"
    return "silent" if endpoints.is_silent(endpoint) else OK


def _inbox(at: datetime) -> str:
    failed = InboxEvent.objects.unfinished().filter(state=InboxEvent.State.FAILED)
    if failed.filter(received_at__gt=at - _RINGS_FOR).exists():
        return "failed"
    waiting = counters.inbox(at=at)
    tried = max(waiting[state].oldest for state in ("received", "retrying"))
    return "behind" if tried > _LONGEST_TRIED else OK


def cache_word(database: str) -> str:
    """Return `ok`, or `unreachable` where one of the caches does not answer."""
    answer = all(_answers(caches[name], database) for name in settings.CACHES)
    return OK if answer else UNREACHABLE


def _answers(cache: BaseCache, database: str) -> bool:
    """Tell whether a value comes back; nothing else proves it.

    django-redis is told to be silent about a Redis that is away.
    """
    if isinstance(cache, DatabaseCache) and database != OK:
        # It would wait for the database once more.
        return False
    # One key per thread, so that two who ask at once do not meet, and none is left behind.
    key = f"health:{os.getpid()}:{threading.get_ident()}"
    value = secrets.token_hex(8)
    try:
        cache.set(key, value, timeout=60)
        return bool(cache.get(key) == value)
    except Error:
        return False
