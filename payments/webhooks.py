"""Where Stripe posts its events: verified by dj-stripe, stored with their job, answered at once."""

import json
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404
from djstripe.models import WebhookEventTrigger
from djstripe.views import ProcessWebhookView
from structlog.contextvars import bind_contextvars

from payments.models import InboxEvent
from payments.services import endpoints, inbox
from shop.clock import now

_LARGEST_BODY_BYTES = 1_000_000
# The end of the year 9999, in seconds.
_TOO_LATE = 253_402_300_800


class WebhookView(ProcessWebhookView):  # type: ignore[misc]
    """dj-stripe's view with its row and its signature check, and an inbox instead of its handlers.

    400 and nothing stored for whatever is not signed by Stripe for this endpoint; 200 for an event
    stored now or earlier, and for one that is not meant for us.
    """

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        # What is malformed is refused before the database is asked anything.
        signature = request.headers.get("Stripe-Signature")
        body = _body(request)
        parsed = None if body is None else _parsed(body)
        if not signature or not isinstance(parsed, dict):
            return HttpResponseBadRequest("malformed")
        # An endpoint whose checks an admin switched off is no endpoint.
        endpoint = get_object_or_404(endpoints.working(), djstripe_uuid=uuid)
        # Only the signature's header is handed on: with DEBUG on, dj-stripe would let another one
        # name the secret.
        delivery = WebhookEventTrigger(
            headers={"Stripe-Signature": signature}, body=body, webhook_endpoint=endpoint
        )
        if not delivery.validate(api_key="", secret=endpoint.secret):
            return HttpResponseBadRequest("signature")
        is_event = parsed.get("object") == "event" and isinstance(parsed.get("type"), str)
        if not is_event or parsed.get("livemode") is not settings.STRIPE_LIVE_MODE:
            return HttpResponse("not for this endpoint")
        if not _is_complete(parsed):
            return HttpResponseBadRequest("malformed")
        bind_contextvars(stripe_event_id=parsed["id"])
        try:
            inbox.store(payload=parsed, source=InboxEvent.Source.WEBHOOK, at=now())
        except DataError:
            # An id longer than its column, say, or JSON that is JSON to Python alone.
            return HttpResponseBadRequest("malformed")
        return HttpResponse("stored")


def _body(request: HttpRequest) -> str | None:
    """Return the body as text, or None when it is too large or no text."""
    try:
        if int(request.headers.get("Content-Length") or 0) > _LARGEST_BODY_BYTES:
            return None
        body = request.body.decode()
    except ValueError:
        return None
    return None if "\0" in body else body


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _is_complete(event: dict[str, Any]) -> bool:
    """Tell whether it has what we keep of an event: an id, and a second that a date can hold."""
    made_at = event.get("created")
    return isinstance(event.get("id"), str) and type(made_at) is int and 0 < made_at < _TOO_LATE
