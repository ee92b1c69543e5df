"""A database that is busy or away: trying again is safe."""

from collections.abc import Callable

import structlog
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from api.guests import is_api
from api.problems import Code, Problem

_RETRY_AFTER_SECONDS = "10"

logger = structlog.get_logger(__name__)


class BusyDatabase:
    """Middleware: a lock, a connection or an answer that did not come in time is a 503."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, OperationalError):
            return None
        logger.warning("the database did not answer in time", exc_info=exception)
        if is_api(request):
            return Problem(Code.BUSY, headers={"Retry-After": _RETRY_AFTER_SECONDS}).response()
        # Made without the request: the usual pages would ask the database for a cart and a user.
        page = render_to_string("503.html")
        return HttpResponse(page, status=503, headers={"Retry-After": _RETRY_AFTER_SECONDS})
