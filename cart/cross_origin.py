"""Forms that carry no CSRF token, so that their pages set no cookie and can be cached."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def same_origin_only(view: View[P]) -> View[P]:
    """Refuse (403) what another site's page makes a browser send; asks for no CSRF token.

    A request that bears neither of the headers comes from no browser, so no page is behind it.
    Source: https://pkg.go.dev/net/http#CrossOriginProtection
    """

    @csrf_exempt
    @functools.wraps(view)
    def judged(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method not in {"GET", "HEAD", "OPTIONS"} and not _is_same_origin(request):
            raise PermissionDenied("sent by a page of another site")
        return view(request, *args, **kwargs)

    return judged


def _is_same_origin(request: HttpRequest) -> bool:
    # Browsers say where a request comes from; a page can neither set nor suppress it.
    if site := request.headers.get("Sec-Fetch-Site"):
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    if not origin:
        return True
    try:
        return urlsplit(origin).netloc.lower() == request.get_host().lower()
    except ValueError:
        return False
