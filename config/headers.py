"""What every answer says to browsers beyond Django's own headers."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


def resource_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: let no other site's page load anything of ours, pictures and styles included."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    return middleware
