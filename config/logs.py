"""What the log says and how: one line per happening, JSON for machines or aligned for people.

Fields that belong to all lines of a request or a job (request_id, order_number ...) are bound with
structlog's contextvars where they become known. Everything that anybody logs, Django, gunicorn and
procrastinate included, passes the same formatter and its masks.
"""

import json
import logging
import re
import sys
import time
import uuid
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars, clear_contextvars, merge_contextvars

from config import masks

Fields = MutableMapping[str, Any]

REQUEST_ID = "X-Request-ID"
# What a proxy may send: enough to be unique, nothing that could be taken for something else.
_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)

logger = structlog.get_logger(__name__)


def settings(*, style: str, level: str) -> dict[str, Any]:
    """Return the dictionary for `logging.config.dictConfig`: `style` is "json" or "console".

    gunicorn takes it too, for the lines of the process that starts the others.
    """
    if style not in _RENDERERS:
        raise ValueError(f"the style of the log is json or console, not {style!r}")
    to_root: dict[str, Any] = {"handlers": [], "propagate": True, "level": "NOTSET"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [merge_contextvars, _add_user],
                "processors": [structlog.processors.format_exc_info, _finish, _RENDERERS[style]],
            }
        },
        "handlers": {"stderr": {"()": Stderr, "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's and gunicorn's have handlers of their own.
            "django": to_root,
            "gunicorn.error": to_root,
            # It has a line for each request where it is given a dictionary like this, with
            # address and query; the shop's own line has neither.
            "gunicorn.access": {"level": "CRITICAL"},
            # A refusal is in the request's own line; a failure comes with its traceback.
            "django.request": {"level": "ERROR"},
            "django.server": to_root | {"level": "ERROR"},
            # Robots that try any host: their line, with 400, is enough.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # It warns of every HEAD, because Django leaves the body to the server to drop.
            "gunicorn.http.wsgi": {"level": "ERROR"},
            "procrastinate": {"level": "WARNING"},
            "stripe": {"level": "WARNING"},
        },
    }


class Stderr(logging.StreamHandler[Any]):
    """The standard handler, whose word on a line that cannot be written quotes no arguments."""

    def handleError(self, record: logging.LogRecord) -> None:
        kind = type(sys.exc_info()[1]).__name__
        line = {"level": "error", "event": f"a line could not be logged: {kind}"}
        place = f"{record.pathname}:{record.lineno}"
        # A full disk must not undo what the line is about.
        with suppress(OSError, ValueError):
            self.stream.write(json.dumps(line | {"place": place}) + "\n")


def requests(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Middleware, the outermost: name each request, and log one line about it.

    The line has the path without its query, in which people may have typed anything.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        request_id = _request_id(request)
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        reset = _request.set(request)
        try:
            response = get_response(request)
            response[REQUEST_ID] = request_id
            logger.info(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                duration_ms=round((time.perf_counter() - started) * 1000, 1),
            )
            return response
        finally:
            _request.reset(reset)
            clear_contextvars()

    return middleware


def _request_id(request: HttpRequest) -> str:
    given = request.headers.get(REQUEST_ID, "")
    return given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex


def _add_user(_logger: Any, _method: str, fields: Fields) -> Fields:
    """Name the user once Django knows him; asking for him here would cost a query."""
    user = getattr(_request.get(), "_cached_user", None)
    if user is not None and user.pk:
        fields.setdefault("user_id", user.pk)
    return fields


def _finish(_logger: Any, _method: str, fields: Fields) -> Fields:
    """Put first what every line has, and mask the rest."""
    record: logging.LogRecord = fields.pop("_record")
    del fields["_from_structlog"]
    return {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": masks.masked(fields.pop("event")),
    } | masks.masked_fields(dict(fields))


_RENDERERS: dict[str, Any] = {
    "json": structlog.processors.JSONRenderer(),
    "console": structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        # The other formatters show the values of local variables.
        exception_formatter=structlog.dev.plain_traceback,
        pad_event_to=0,
        sort_keys=False,
    ),
}

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        merge_contextvars,
        _add_user,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
