"""The hosted checkout page: what the buyer sees, and the form that pays."""

from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
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


# The secret session id in the address is the permission to pay, and no cookie adds to it, so there
# is nothing that another site could abuse; a token would need the cookie that we do without.
@csrf_exempt
@require_http_methods(["GET", "POST"])
def pay(request: HttpRequest, session_id: str) -> HttpResponse:
    """Show a session's page; POST pays and leads back to the merchant (303)."""
    twin = twin_of(request)
    struck = twin.faults.strike_request(request.method or "", request.path)

    def work() -> HttpResponse:
        try:
            web.refuse_if_struck(struck)
            response = _page(request, twin, session_id)
            if "error_after" in struck:
                return _apology(request, HTTPStatus.INTERNAL_SERVER_ERROR)
            return response
        except ApiError as error:
            return _apology(request, error.status)

    return web.answered(request, struck, work)


def _page(request: HttpRequest, twin: Twin, session_id: str) -> HttpResponse:
    at = twin.catch_up()
    session = twin.store.find("checkout.session", session_id)
    if session is None:
        return _notice(request, "unknown", None, HTTPStatus.NOT_FOUND)
    if session["status"] != "open":
        return _closed(request, session)
    methods = session["payment_method_types"]
    if request.method == "GET":
        form = PaymentForm(
            methods=methods, at=at, initial={"email": session["customer_email"] or ""}
        )
        return _checkout(request, twin, session, form, HTTPStatus.OK)
    form = PaymentForm(request.POST, methods=methods, at=at)
    if not form.is_valid():
        return _checkout(request, twin, session, form, HTTPStatus.UNPROCESSABLE_ENTITY)
    return _try_to_pay(request, twin, session, form, at)


def _try_to_pay(
    request: HttpRequest, twin: Twin, session: Record, form: PaymentForm, at: int
) -> HttpResponse:
    decline = form.decline()
    try:
        with twin.store.transaction():
            session = twin.checkout.pay(
                session["id"], form.instrument(), form.payer(), decline=decline, at=at
            )
    except NotOpen:  # a second click, or the other tab, was quicker
        return _closed(request, twin.store.get("checkout.session", session["id"]))
    if decline:
        form.add_error("card", decline.message)
        return _checkout(request, twin, session, form, HTTPStatus.PAYMENT_REQUIRED)
    response = HttpResponseRedirect(_success_url(session))
    response.status_code = HTTPStatus.SEE_OTHER
    return _guarded(response)


def _success_url(session: Record) -> str:
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _checkout(
    request: HttpRequest, twin: Twin, session: Record, form: PaymentForm, status: int
) -> HttpResponse:
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
        "total": currencies.format_amount(session["amount_total"], currency),
        "cancel_url": session["cancel_url"],
        "offers_card": cards.CARD in session["payment_method_types"],
        "offers_bank_debit": cards.BANK_DEBIT in session["payment_method_types"],
    }
    response = render(request, "checkout.html", context, status=status)
    return _guarded(response, form_target=session["success_url"])


def _closed(request: HttpRequest, session: Record) -> HttpResponse:
    if session["status"] == "complete":
        status = HTTPStatus.OK if request.method == "GET" else HTTPStatus.CONFLICT
        return _notice(request, "complete", _success_url(session), status)
    return _notice(request, "expired", session["cancel_url"], HTTPStatus.GONE)


def _notice(request: HttpRequest, what: str, back_url: str | None, status: int) -> HttpResponse:
    context = {"what": what, "back_url": back_url}
    return _guarded(render(request, "notice.html", context, status=status))


def _apology(request: HttpRequest, status: int) -> HttpResponse:
    return _notice(request, "failure", None, status)


def _guarded(response: HttpResponse, form_target: str = "") -> HttpResponse:
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
