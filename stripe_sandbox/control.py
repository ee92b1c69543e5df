"""The control API: JSON without a password, for this machine alone; control_page.py is its page.

GET, POST, DELETE /_sandbox/faults         list, add one (see faults.py), clear
POST /_sandbox/clock                       {"advance": seconds}: move the clock, then act by it
POST /_sandbox/bank_debits/<intent id>     {"outcome": "succeeded" or "failed"}
GET  /_sandbox/deliveries                  every try to deliver a webhook, oldest first
POST /_sandbox/deliveries/flush            try what is due now; answers when that is done
POST /_sandbox/events                      {"kind": ...}: see strange_events.py
POST /_sandbox/second_charges              {"payment_intent": id}: charge what is paid once more
GET  /_sandbox/books                       who paid what, to the cent: see books.py
POST /_sandbox/reset                       forget everything; {"seed": n} repeats what follows
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from stripe_sandbox.errors import ApiError
from stripe_sandbox.objects import public
from stripe_sandbox.payments import NotProcessing
from stripe_sandbox.twin import Twin, twin_of

Handler = Callable[[Twin, Any], dict[str, Any]]


class Refused(Exception):
    """What was asked for cannot be done; `status` says why as HTTP does."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def control(**handlers: Handler) -> Callable[..., JsonResponse]:
    """Return a view that answers each method with its handler, and errors as JSON.

    It has no password, so it speaks only to this machine, and to no browser: a page from elsewhere
    must not steer it.
    """

    @csrf_exempt
    def view(request: HttpRequest, **ids: str) -> JsonResponse:
        is_local = ip_address(request.META["REMOTE_ADDR"]).is_loopback
        if not is_local or "Origin" in request.headers:
            return JsonResponse({"error": "for this machine alone"}, status=HTTPStatus.FORBIDDEN)
        handler = handlers.get(request.method or "")
        if handler is None:
            return JsonResponse({"error": "no"}, status=HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            with explained():
                fields = json.loads(request.body or b"{}")
                return JsonResponse(handler(twin_of(request), fields | ids))
        except Refused as error:
            return JsonResponse({"error": str(error)}, status=error.status)

    return view


@contextmanager
def explained() -> Iterator[None]:
    """Raise Refused for what handlers raise."""
    try:
        yield
    except NotProcessing as error:
        raise Refused(HTTPStatus.CONFLICT, f"the intent is {error}, not processing") from error
    except ApiError as error:
        raise Refused(error.status, str(error)) from error
    except KeyError as error:
        raise Refused(HTTPStatus.NOT_FOUND, f"missing: {error}") from error
    except (TypeError, ValueError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from error


def list_faults(twin: Twin, _fields: Any) -> dict[str, Any]:
    return {"data": twin.faults.shown()}


def add_fault(twin: Twin, fields: Any) -> dict[str, Any]:
    return twin.faults.add(fields)


def clear_faults(twin: Twin, _fields: Any) -> dict[str, Any]:
    twin.faults.clear()
    return {"data": []}


def advance_clock(twin: Twin, fields: Any) -> dict[str, Any]:
    twin.clock.advance(int(fields["advance"]))
    return {"now": twin.catch_up()}


def decide_bank_debit(twin: Twin, fields: Any) -> dict[str, Any]:
    if fields["outcome"] not in ("succeeded", "failed"):
        raise ValueError("outcome must be succeeded or failed")
    at = twin.catch_up()
    with twin.store.transaction():
        intent = twin.checkout.decide_bank_debit(
            fields["intent_id"], succeeds=fields["outcome"] == "succeeded", at=at
        )
    return public(intent)


def list_deliveries(twin: Twin, _fields: Any) -> dict[str, Any]:
    return {"data": twin.store.tries()}


def flush_deliveries(twin: Twin, _fields: Any) -> dict[str, Any]:
    twin.catch_up()
    twin.deliveries.send_due()
    return list_deliveries(twin, {})


def reset(twin: Twin, fields: Any) -> dict[str, Any]:
    twin.reset(fields.get("seed"))
    return {}
