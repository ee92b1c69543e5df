"""The hosted checkout page: what the buyer sees, and the form that pays."""

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from stripe_sandbox import cards, currencies, web
from stripe_sandbox.checkout import NotOpen
from stripe_sandbox.errors import ApiError
from stripe_sandbox.forms import PaymentForm
from stripe_sandbox.store import Record
from stripe_sandbox.twin import Twin, twin_of

_STATIC = Path(__file__).parent / "static"


@require_GET
def stylesheet(_request: HttpRequest) -> FileResponse:
    return FileResponse((_STATIC / "checkout.css").open("rb"), content_type="text/css")


@require_GET
def icon(_request: HttpRequest) -> FileResponse:
    return FileResponse((_STATIC / "icon.svg").open("rb"), content_type="image/svg+xml")


@csrf_exempt
@require_http_methods(["GET", "POST"])
def pay(request: HttpRequest, session_id: str) -> HttpResponse:
    """Show a session's page; POST pays and leads back to the merchant, or to the bank (303)."""
    return answered(request, lambda twin: _page(request, twin, session_id))


# The secret session id in the address is the permission to pay, and no cookie adds to it, so there
# is nothing that another site could abuse; a token would need the cookie that we do without.
def answered(request: HttpRequest, work: Callable[[Twin], HttpResponse]) -> HttpResponse:
    """Answer a page of a session with `work`, in whatever weather was asked for."""
    twin = twin_of(request)
    struck = twin.faults.strike_request(request.method or "", request.path)

    def in_weather() -> HttpResponse:
        try:
            web.refuse_if_struck(struck)
            response = work(twin)
            if "error_after" in struck:
                return _apology(request, HTTPStatus.INTERNAL_SERVER_ERROR)
            return response
        except ApiError as error:
            return _apology(request, error.status)

    return web.answered(request, struck, in_weather)


def _page(request: HttpRequest, twin: Twin, session_id: str) -> HttpResponse:
    at = twin.catch_up()
    session = twin.store.find("checkout.session", session_id)
    if session is None:
        return unknown(request)
    if session["status"] != "open":
        return closed(request, session)
    methods = session["payment_method_types"]
    if request.method == "GET":
        form = PaymentForm(methods=methods, at=at, initial={"email": _known_email(twin, session)})
        return _checkout(request, twin, session, form, HTTPStatus.OK)
    form = PaymentForm(request.POST, methods=methods, at=at)
    if not form.is_valid():
        return _checkout(request, twin, session, form, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        return _try_to_pay(request, twin, session, form, at)
    except NotOpen:  # a second click, or the other tab, was quicker
        return closed(request, twin.store.get("checkout.session", session_id))


def _known_email(twin: Twin, session: Record) -> str:
    known = session["customer_email"]
    if session["customer"]:
        known = twin.store.get("customer", session["customer"]).get("email")
    return known or ""


def _try_to_pay(
    request: HttpRequest, twin: Twin, session: Record, form: PaymentForm, at: int
) -> HttpResponse:
    """Pay, be declined, or go where the bank asks the buyer; raises NotOpen."""
    with twin.store.transaction():
        session, intent = twin.checkout.pay(session["id"], form.instrument(), form.payer(), at=at)
    if intent["status"] == "requires_action":
        return see_other(reverse("confirm", args=[session["id"], intent["_challenge"]]))
    if session["status"] == "open":
        form.add_error("card", intent["last_payment_error"]["message"])
        return _checkout(request, twin, session, form, HTTPStatus.PAYMENT_REQUIRED)
    return see_other(success_url(session))


def see_other(url: str) -> HttpResponse:
    response = HttpResponseRedirect(url)
    response.status_code = HTTPStatus.SEE_OTHER
    return guarded(response)


def success_url(session: Record) -> str:
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _checkout(
    request: HttpRequest, twin: Twin, session: Record, form: PaymentForm, status: int
) -> HttpResponse:
    form.point_at_first_error()
    currency = session["currency"]
    lines = [
        {
            "name": item["description"],
            "product": twin.store.get("product", item["price"]["product"]),
            "quantity": item["quantity"],
            "unit": currencies.format_amount(item["price"]["unit_amount"], currency),
            "amount": currencies.format_amount(item["amount_total"], currency),
        }
        for item in session["_items"]
    ]
    shipping = session["shipping_cost"]
    context: dict[str, Any] = {
        "form": form,
        "lines": lines,
        "subtotal": currencies.format_amount(session["amount_subtotal"], currency),
        "shipping": shipping and currencies.format_amount(shipping["amount_total"], currency),
        "shipping_name": shipping
        and twin.store.get("shipping_rate", shipping["shipping_rate"])["display_name"],
        "total": total(session),
        "merchant": merchant(session["success_url"]),
        "test_cards": cards.TEST_CARDS,
        "not_confirmed": not form.is_bound and _was_not_confirmed(twin, session),
        "cancel_url": session["cancel_url"],
        "offers_card": cards.CARD in session["payment_method_types"],
        "offers_bank_debit": cards.BANK_DEBIT in session["payment_method_types"],
    }
    response = render(request, "checkout.html", context, status=status)
    return guarded(response, form_target=session["success_url"])


def _was_not_confirmed(twin: Twin, session: Record) -> bool:
    """Whether the latest try ended because the buyer did not confirm it to the bank."""
    if not session["payment_intent"]:
        return False
    error = twin.store.get("payment_intent", session["payment_intent"])["last_payment_error"]
    return bool(error) and error["code"] == cards.NOT_CONFIRMED.code


def total(session: Record) -> str:
    return currencies.format_amount(session["amount_total"], session["currency"])


def merchant(url: str) -> str:
    """Return by what name the buyer knows the merchant here: the host that he comes from."""
    return urlsplit(url).netloc


def closed(request: HttpRequest, session: Record) -> HttpResponse:
    if session["status"] == "complete":
        status = HTTPStatus.OK if request.method == "GET" else HTTPStatus.CONFLICT
        return notice(request, "complete", success_url(session), status)
    return notice(request, "expired", session["cancel_url"], HTTPStatus.GONE)


def unknown(request: HttpRequest) -> HttpResponse:
    return notice(request, "unknown", None, HTTPStatus.NOT_FOUND)


def notice(request: HttpRequest, what: str, back_url: str | None, status: int) -> HttpResponse:
    context = {"what": what, "back_url": back_url}
    return guarded(render(request, "notice.html", context, status=status))


def _apology(request: HttpRequest, status: int) -> HttpResponse:
    return notice(request, "failure", None, status)


def guarded(response: HttpResponse, form_target: str = "") -> HttpResponse:
    """Keep the secret address out of caches and other sites' logs, and other sites out of here."""
    target = urlsplit(form_target)
    # Browsers hold the redirect that answers a form to form-action, too.
    form_action = f"'self' {target.scheme}://{target.netloc}" if form_target else "'none'"
    response["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src http: https:; base-uri 'none';"
        f" frame-ancestors 'none'; form-action {form_action}"
    )
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Content-Type-Options"] = "nosniff"
    response["X-Robots-Tag"] = "noindex"
    return response
