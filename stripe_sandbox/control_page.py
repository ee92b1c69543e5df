"""The control page: the switches of the control API as plain forms, for this machine's browser.

A form names in `do` what is to be done, and beside it what the control API would be told. The API
refuses every browser; this page lets one in, so it judges where a form comes from.
"""

from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from stripe_sandbox import control, mishaps, money_control, overview, pages, strange_events
from stripe_sandbox.control import Handler, Refused
from stripe_sandbox.faults import (
    DELIVERY_KINDS,
    PAYMENT_KINDS,
    REFUND_KINDS,
    REQUEST_KINDS,
    WEBHOOK_KINDS,
)
from stripe_sandbox.twin import Twin, twin_of

_STYLESHEET = Path(__file__).parent / "static" / "control.css"
_KINDS = {
    "A request": REQUEST_KINDS,
    "A payment": PAYMENT_KINDS,
    "A refund": REFUND_KINDS,
    "A webhook": WEBHOOK_KINDS | DELIVERY_KINDS,
}
_NUMBERS = {"times": int, "by": int, "seconds": float, "probability": float, "seed": int}


def _add_fault(twin: Twin, fields: Any) -> dict[str, Any]:
    lasts = {"times": None} if fields.pop("lasts", "") else {}
    return control.add_fault(twin, fields | lasts)


_FAULTS, _CLOCK, _PAYMENTS, _EVENTS = "faults", "clock", "payments", "events"
# What a form may ask for, and the part of the page that tells what came of it.
_DEEDS: dict[str, tuple[Handler, str]] = {
    "add_fault": (_add_fault, _FAULTS),
    "clear_faults": (control.clear_faults, _FAULTS),
    "advance_clock": (control.advance_clock, _CLOCK),
    "reset": (control.reset, _CLOCK),
    "decide_bank_debit": (control.decide_bank_debit, _PAYMENTS),
    "refund": (money_control.refund_in_dashboard, _PAYMENTS),
    "decide_refund": (money_control.decide_refund, _PAYMENTS),
    "open_dispute": (money_control.open_dispute, _PAYMENTS),
    "move_dispute": (money_control.move_dispute, _PAYMENTS),
    "charge_again": (mishaps.charge_again, _PAYMENTS),
    "make_event": (strange_events.make, _EVENTS),
    "flush_deliveries": (control.flush_deliveries, _EVENTS),
}


@require_GET
def stylesheet(_request: HttpRequest) -> FileResponse:
    return FileResponse(_STYLESHEET.open("rb"), content_type="text/css")


@csrf_exempt  # without a cookie there is no session to abuse; `_is_from_here` judges the rest
@require_http_methods(["GET", "POST"])
def show(request: HttpRequest) -> HttpResponse:
    """Show all switches; POST moves one and leads back to it (303)."""
    if not _is_from_here(request):
        return HttpResponse("For this machine alone.", status=HTTPStatus.FORBIDDEN)
    if request.method == "GET":
        return _page(request, None)
    told = {name: str(value) for name, value in request.POST.items() if value}
    try:
        with control.explained():
            handler, part = _DEEDS[told.pop("do")]
            handler(twin_of(request), _as_json(told))
    except Refused as refusal:
        return _page(request, refusal)
    return _guarded(request, pages.see_other(f"{reverse('control')}#{part}"))


def _is_from_here(request: HttpRequest) -> bool:
    """Whether a browser of this machine asks, and a form comes from this very page.

    A name that only leads here (DNS rebinding) is not ours; browsers name the origin of each form.
    """
    host = request.get_host()
    is_ours = urlsplit(f"//{host}").hostname in ("localhost", "127.0.0.1", "::1")
    origin = request.headers.get("Origin", f"{request.scheme}://{host}")
    is_local = ip_address(request.META["REMOTE_ADDR"]).is_loopback
    return is_local and is_ours and origin == f"{request.scheme}://{host}"


def _as_json(told: dict[str, str]) -> dict[str, Any]:
    """Return a form's fields as the control API takes them; raises ValueError."""
    return {name: _NUMBERS.get(name, str)(value) for name, value in told.items()}


def _page(request: HttpRequest, refusal: Refused | None) -> HttpResponse:
    twin = twin_of(request)
    at = twin.catch_up()
    endpoints = twin.store.select("webhook_endpoint", [], newest_first=False, limit=-1)
    faults = [(shown["kind"], overview.fault(shown)) for shown in twin.faults.shown()]
    context = {
        "refusal": refusal,
        "now": overview.moment(at),
        "is_movable": twin.clock.is_movable,
        "faults": faults,
        "kinds": _KINDS,
        "payments": overview.payments(twin.store),
        "events": overview.events(twin.store),
        "endpoints": endpoints,
    }
    status = refusal.status if refusal else HTTPStatus.OK
    return _guarded(request, render(request, "control.html", context, status=status))


def _guarded(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    response = pages.guarded(response, form_target=request.build_absolute_uri("/"))
    # Under no-referrer browsers would not name the origin of a form.
    response["Referrer-Policy"] = "same-origin"
    return response
