"""The page on which the buyer's bank asks him to confirm a payment (3-D Secure)."""

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from stripe_sandbox import currencies, pages
from stripe_sandbox.checkout import NotOpen
from stripe_sandbox.payments import NotAsked, require_asked
from stripe_sandbox.store import Record
from stripe_sandbox.twin import Twin

_ANSWERS = {"complete": True, "fail": False}


@csrf_exempt  # for the reason that stands beside pages.answered
@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, session_id: str, challenge_id: str) -> HttpResponse:
    """Show what the bank asks; POST answers, and leads to the merchant or back to paying (303)."""
    return pages.answered(
        request, lambda twin: _of_session(request, twin, session_id, challenge_id)
    )


@csrf_exempt
@require_http_methods(["GET", "POST"])
def authenticate(request: HttpRequest, intent_id: str, challenge_id: str) -> HttpResponse:
    """The same for an intent without a session; POST leads to its `return_url` (303)."""
    return pages.answered(request, lambda twin: _of_intent(request, twin, intent_id, challenge_id))


def _of_session(
    request: HttpRequest, twin: Twin, session_id: str, challenge_id: str
) -> HttpResponse:
    at = twin.catch_up()
    session = twin.store.find("checkout.session", session_id)
    if session is None:
        return pages.unknown(request)
    answer = request.POST.get("answer", "")
    try:
        if answer not in _ANSWERS:
            session = twin.checkout.asked(session_id, challenge_id)
            return _question(request, pages.total(session), session["success_url"])
        with twin.store.transaction():
            session = twin.checkout.answer_bank(
                session_id, challenge_id, is_confirmed=_ANSWERS[answer], at=at
            )
    except NotOpen:  # answered before, expired meanwhile, or paid in another tab
        return pages.closed(request, twin.store.get("checkout.session", session_id))
    except NotAsked:
        return _not_asked(request, reverse("pay", args=[session_id]))
    if session["status"] == "open":
        return pages.see_other(reverse("pay", args=[session_id]))
    return pages.see_other(pages.success_url(session))


def _of_intent(request: HttpRequest, twin: Twin, intent_id: str, challenge_id: str) -> HttpResponse:
    at = twin.catch_up()
    intent = twin.store.find("payment_intent", intent_id)
    if intent is None or intent["_session"] or not intent["_return_url"]:
        return pages.unknown(request)
    answer = request.POST.get("answer", "")
    try:
        if answer not in _ANSWERS:
            require_asked(intent, challenge_id)
            total = currencies.format_amount(intent["amount"], intent["currency"])
            return _question(request, total, intent["_return_url"])
        with twin.store.transaction():
            intent = require_asked(twin.store.find("payment_intent", intent_id), challenge_id)
            happened = twin.payments.answer_bank(intent, is_confirmed=_ANSWERS[answer], at=at)
            twin.events.emit(happened, at)
    except NotAsked:
        return _not_asked(request, _return_url(twin.store.get("payment_intent", intent_id)))
    return pages.see_other(_return_url(intent))


def _question(request: HttpRequest, total: str, return_url: str) -> HttpResponse:
    context: dict[str, Any] = {"total": total, "merchant": pages.merchant(return_url)}
    response = render(request, "confirm.html", context)
    return pages.guarded(response, form_target=return_url)


def _not_asked(request: HttpRequest, back_url: str) -> HttpResponse:
    status = HTTPStatus.OK if request.method == "GET" else HTTPStatus.CONFLICT
    return pages.notice(request, "not_asked", back_url, status)


def _return_url(intent: Record) -> str:
    """Return where the buyer goes from here, told what came of it as Stripe tells it."""
    parts = urlsplit(intent["_return_url"])
    told = {
        "payment_intent": intent["id"],
        "payment_intent_client_secret": intent["client_secret"],
        "redirect_status": "succeeded" if intent["status"] == "succeeded" else "failed",
    }
    query = parse_qsl(parts.query, keep_blank_values=True) + list(told.items())
    return parts._replace(query=urlencode(query)).geturl()
