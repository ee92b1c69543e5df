"""What a shopper sees when Stripe fails: the design's table of failures, for pages and the API."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from api.problems import Code, Problem
from payments import gateway
from payments.services.settling import StaleRead

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

_RETRY_AFTER_SECONDS = "30"


def stripe_failures(view: View[P]) -> View[P]:
    """Answer a failure of Stripe in kind words, with the status that fits; nothing is lost."""

    @wraps(view)
    def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except gateway.Busy:
            return _page(request, "busy", 429)
        except (gateway.Unreachable, gateway.KeyInUse, StaleRead):
            return _page(request, "unreachable", 503)
        except gateway.NotAvailable:
            return _page(request, "not_available", 503)
        except gateway.Refused:
            return _page(request, "refused", 500)

    return wrapped


def problem_of_stripe(error: Exception) -> Problem | None:
    """Return what the API says of a failure of Stripe, or None where it is no such failure."""
    match error:
        case gateway.Busy():
            code = Code.PAYMENT_BUSY
        case gateway.Unreachable() | gateway.KeyInUse() | StaleRead():
            code = Code.PAYMENT_UNREACHABLE
        case gateway.NotAvailable():
            code = Code.PAYMENT_UNAVAILABLE
        case gateway.Refused():
            code = Code.PAYMENT_REFUSED
        case _:
            return None
    is_passing = code != Code.PAYMENT_REFUSED
    return Problem(code, headers={"Retry-After": _RETRY_AFTER_SECONDS} if is_passing else {})


def _page(request: HttpRequest, why: str, status: int) -> HttpResponse:
    response = render(request, "payments/failure.html", {"why": why}, status=status)
    if status in {429, 503}:
        response["Retry-After"] = _RETRY_AFTER_SECONDS
    return response
