"""Who acts: transactions in which staff write are marked, and the database logs what they change.

A mark ends with its transaction, however that ends. So a connection that goes back to the pool has
none, and neither has one that took the place of another.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from structlog.contextvars import get_contextvars

from backoffice.audit_trigger import MARK
from shop.limits import client_ip

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}
_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|MERGE|WITH)\b", re.IGNORECASE)


@contextmanager
def acting(*, user_id: int, how: str, address: str | None = None) -> Iterator[None]:
    """Log what is written inside, by this thread, as this person's doing.

    `how` tells from where, like "command import_products"; `address` is the client's, if there is
    one.
    """
    mark = _mark(user_id=user_id, how=how, address=address)
    with _marking(lambda: mark):
        yield


def staff_act(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Middleware: log what staff change, by pages, by the admin or by the API.

    It stands behind the one that knows the user. Nothing is changed by a safe method.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method in _SAFE_METHODS:
            return get_response(request)
        with _marking(lambda: _mark_of(request)):
            return get_response(request)

    return middleware


def _mark_of(request: HttpRequest) -> str:
    """Return the mark of a request of staff; empty for anybody else.

    Who asks counts once the view has found it out, as all that staff may do is behind a permission:
    to look for the user here would cost each guest a query. The API sets him anew.
    """
    user = request.user
    is_unknown = isinstance(user, SimpleLazyObject) and not hasattr(request, "_cached_user")
    if is_unknown or not user.is_staff:
        return ""
    view = request.resolver_match
    return _mark(user_id=user.pk, how=view.view_name if view else "", address=client_ip(request))


def _mark(**said: Any) -> str:
    return json.dumps(said | {"request_id": get_contextvars().get("request_id", "")})


@contextmanager
def _marking(find_mark: Callable[[], str]) -> Iterator[None]:
    """Mark each transaction in which this thread writes; `find_mark` is asked at every write."""

    def marked(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        mark = find_mark() if _WRITES.match(sql) else ""
        if not mark or mark == _standing_mark():
            return execute(sql, *rest)
        # A statement that is its own transaction needs one that holds the mark too.
        with nullcontext() if connection.in_atomic_block else transaction.atomic():
            _set_mark(mark)
            return execute(sql, *rest)

    with connection.execute_wrapper(marked):
        try:
            yield
        finally:
            if connection.in_atomic_block and _standing_mark():
                # A transaction that failed is rolled back, and its mark with it.
                with suppress(DatabaseError):
                    _set_mark("")


class _Standing:
    """Remembers a mark as long as the database does.

    Django forgets what waits for a commit when the transaction ends, when it is rolled back to a
    savepoint before, and when the connection is lost: just when PostgreSQL forgets a local setting.
    """

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __call__(self) -> None:
        """Nothing is to be done at the commit."""


def _standing_mark() -> str:
    waiting = (hook for _savepoints, hook, *_ in reversed(connection.run_on_commit))
    return next((hook.mark for hook in waiting if isinstance(hook, _Standing)), "")


def _set_mark(mark: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [MARK, mark])
    transaction.on_commit(_Standing(mark))
