"""The page on which the buyer's bank asks him to confirm a payment (3-D Secure)."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from stripe_sandbox import pages
from stripe_sandbox.checkout import NotOpen
from stripe_sandbox.payments import NotAsked
from stripe_sandbox.twin import Twin

_ANSWERS = {"complete": True, "fail": False}


@csrf_exempt  # for the reason that stands beside pages.answered
@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, session_id: str, challenge_id: str) -> HttpResponse:
    """Show what the bank asks; POST answers, and leads to the merchant or back to paying (303)."""
    return pages.answered(request, lambda twin: _page(request, twin, session_id, challenge_id))


def _page(request: HttpRequest, twin: Twin, session_id: str, challenge_id: str) -> HttpResponse:
    at = twin.catch_up()
    session = twin.store.find("checkout.session", session_id)
    if session is None:
        return pages.unknown(request)
    answer = request.POST.get("answer", "")
    try:
        if answer not in _ANSWERS:
            session = twin.checkout.asked(session_id, challenge_id)
            context = {"total": pages.total(session), "merchant": pages.merchant(session)}
            response = render(request, "confirm.html", context)
            return pages.guarded(response, form_target=session["success_url"])
        with twin.store.transaction():
            session = twin.checkout.answer_bank(
                session_id, challenge_id, is_confirmed=_ANSWERS[answer], at=at
            )
    except NotOpen:  # answered before, expired meanwhile, or paid in another tab
        return pages.closed(request, twin.store.get("checkout.session", session_id))
    except NotAsked:
        status = HTTPStatus.OK if request.method == "GET" else HTTPStatus.CONFLICT
        return pages.notice(request, "not_asked", reverse("pay", args=[session_id]), status)
    if session["status"] == "open":
        return pages.see_other(reverse("pay", args=[session_id]))
    return pages.see_other(pages.success_url(session))
