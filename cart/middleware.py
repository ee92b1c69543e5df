"""The guest's cookie, written once the answer is there."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from cart.access import write_cookie


def guest_cart(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Set or delete the guest's cookie after the views and receivers have decided."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        write_cookie(request, response)
        return response

    return middleware
