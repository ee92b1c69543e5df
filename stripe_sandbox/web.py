"""What API, hosted page and control API share: faults that strike a request, closed connections."""

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from django.http import HttpRequest, HttpResponse

from stripe_sandbox.errors import forbidden, key_in_use, rate_limited, server_error
from stripe_sandbox.faults import Fault

CONNECTION_KEY = "stripe_sandbox.connection"


def close_connection(request: HttpRequest) -> HttpResponse:
    """End the connection at once; the answer that is returned never leaves."""
    connection: socket.socket = request.META[CONNECTION_KEY]
    with suppress(OSError):  # the client may be quicker
        connection.shutdown(socket.SHUT_RDWR)
    return HttpResponse()


def refuse_if_struck(struck: Mapping[str, Fault]) -> None:
    """Meet the faults that strike before anything is done; raises ApiError."""
    if "slow" in struck:
        time.sleep(struck["slow"].seconds)
    if "rate_limit" in struck:
        raise rate_limited()
    if "forbidden" in struck:
        raise forbidden()
    if "conflict" in struck:
        raise key_in_use("(the sandbox was asked to say so)")
    if "error_before" in struck:
        raise server_error()


def answered(
    request: HttpRequest, struck: Mapping[str, Fault], work: Callable[[], HttpResponse]
) -> HttpResponse:
    """Answer with `work`, unless a fault takes the connection away before or after it."""
    if "refuse" in struck:
        return close_connection(request)
    response = work()
    if "cut" in struck:
        response["Content-Length"] = str(len(response.content))
        response.content = response.content[: len(response.content) // 2]
    return close_connection(request) if "drop_answer" in struck else response
