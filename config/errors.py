"""What Django itself answers when a request fails; a client of the API is told in its shape."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from api.guests import is_api
from api.problems import Code, Problem


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what cannot be read as a request."""
    if is_api(request):
        return Problem(Code.MALFORMED).response()
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what nobody foresaw; Django has logged it."""
    return Problem(Code.INTERNAL).response() if is_api(request) else defaults.server_error(request)
