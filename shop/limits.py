"""Limits on how often a page is asked to do something, which keep a visitor from wearing it out.

The API counts by the same names, so who uses both has no second try.
"""

import functools
import ipaddress
import math
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.throttling import BaseThrottle

from api.limits import throttles

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def limited(name: str) -> Callable[[View[P]], View[P]]:
    """Answer 429 with Retry-After to whoever sends more than DEFAULT_THROTTLE_RATES[name] allows.

    Looking is free: GET and HEAD are not counted.
    """

    def decorate(view: View[P]) -> View[P]:
        @functools.wraps(view)
        def within_limit(
            request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponse:
            if request.method in {"GET", "HEAD"}:
                return view(request, *args, **kwargs)
            for throttle in throttles(name):
                if not throttle.allow_request(cast(Any, request), cast(Any, view)):
                    return _too_many(request, throttle.wait())
            return view(request, *args, **kwargs)

        return within_limit

    return decorate


def client_ip(request: HttpRequest) -> str | None:
    """Return the client's address as text, or None when it names none."""
    # PostgreSQL knows no zone: fe80::1%eth0 is fe80::1.
    ident = str(BaseThrottle().get_ident(cast(Any, request))).partition("%")[0]
    try:
        return str(ipaddress.ip_address(ident))
    except ValueError:
        return None


def _too_many(request: HttpRequest, seconds: float | None) -> HttpResponse:
    wait_seconds = max(1, math.ceil(seconds or 0))
    response = render(request, "429.html", {"wait_seconds": wait_seconds}, status=429)
    response["Retry-After"] = str(wait_seconds)
    return response
