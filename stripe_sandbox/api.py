"""Stripe's API: authentication, idempotency, errors and headers around the endpoints."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self
from urllib.parse import parse_qsl

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from stripe_sandbox import account, endpoints, intents, mishaps, web
from stripe_sandbox.call import Call
from stripe_sandbox.errors import (
    ApiError,
    PaymentFailed,
    no_such,
    not_for_publishable_keys,
    server_error,
    unauthorized,
)
from stripe_sandbox.events import Origin
from stripe_sandbox.faults import Fault
from stripe_sandbox.idempotency import fingerprint
from stripe_sandbox.objects import API_VERSION, new_id
from stripe_sandbox.params import decode, split_expand
from stripe_sandbox.store import StoredAnswer
from stripe_sandbox.twin import Twin, twin_of


@dataclass(frozen=True)
class _Answer:
    status: int
    body: str
    replays: str = ""  # the id of the request whose stored answer this is

    @classmethod
    def saying(cls, body: dict[str, Any], status: int = 200) -> Self:
        return cls(status, json.dumps(body, indent=2))


@csrf_exempt
def api(request: HttpRequest) -> HttpResponse:
    """Answer one call below /v1/."""
    twin = twin_of(request)
    struck = twin.faults.strike_request(request.method or "", request.path)
    return web.answered(request, struck, lambda: _respond(request, twin, struck))


def _respond(request: HttpRequest, twin: Twin, struck: dict[str, Fault]) -> HttpResponse:
    origin = Origin(new_id("req_", 14), _key(request))
    try:
        answer = _answer(request, twin, struck, origin)
    except ApiError as error:
        answer = _Answer.saying(error.body, error.status)
    headers = {
        "Request-Id": str(origin.request_id),
        "Stripe-Version": API_VERSION,
        "Cache-Control": "no-cache, no-store",
    }
    if origin.idempotency_key:
        headers["Idempotency-Key"] = origin.idempotency_key
        headers["Original-Request"] = answer.replays or headers["Request-Id"]
    if answer.replays:
        headers["Idempotent-Replayed"] = "true"
    return HttpResponse(
        answer.body, status=answer.status, content_type="application/json", headers=headers
    )


def _key(request: HttpRequest) -> str | None:
    """Return the idempotency key; it does nothing on GET."""
    return request.headers.get("Idempotency-Key") if request.method == "POST" else None


def _is_public(request: HttpRequest, twin: Twin) -> bool:
    """Whether the request has the publishable key, not the secret one; raises ApiError for none."""
    key = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if secrets.compare_digest(key.encode(), twin.secret_key.encode()):
        return False
    if key and secrets.compare_digest(key.encode(), twin.publishable_key.encode()):
        return True
    if key and key == account.foreign_key(twin.store):
        raise no_such("payment_intent", request.path.rpartition("/")[2], "intent")
    raise unauthorized(key)


def _params(request: HttpRequest) -> dict[str, Any]:
    encoded = request.META.get("QUERY_STRING", "")
    if request.method == "POST":
        encoded = request.body.decode(errors="replace")
    return decode(parse_qsl(encoded, keep_blank_values=True))


def _answer(request: HttpRequest, twin: Twin, struck: dict[str, Fault], origin: Origin) -> _Answer:
    """Do the call, or repeat its stored answer; raises ApiError before anything was done."""
    is_public = _is_public(request, twin)
    method = request.method or ""
    endpoint, ids = endpoints.route(method, request.path)
    if is_public and endpoint not in intents.PUBLIC:
        raise not_for_publishable_keys()
    raw = _params(request)
    params, expand = split_expand(raw)
    base_url = f"{request.scheme}://{request.get_host()}"
    is_stale = "stale_read" in struck
    call = Call(twin, request.path, params, expand, base_url, origin, is_stale, is_public)
    work = partial(endpoint, call, **ids)
    key = origin.idempotency_key
    if key is None:
        return _do(call, struck, work, remember=lambda _answer: None)

    digest = fingerprint(method, request.path, raw)

    def remember(answer: _Answer) -> None:
        said = StoredAnswer(digest, str(origin.request_id), answer.status, answer.body)
        twin.store.store_answer(key, said)

    with twin.keys.claimed(key, digest) as stored:
        if stored:
            return _Answer(stored.status, stored.body, replays=stored.request_id)
        return _do(call, struck, work, remember)


def _done(work: Callable[[], dict[str, Any]]) -> _Answer:
    try:
        return _Answer.saying(work())
    except PaymentFailed as failure:
        return _Answer.saying(failure.body, failure.status)


def _do(
    call: Call,
    struck: dict[str, Fault],
    work: Callable[[], dict[str, Any]],
    remember: Callable[[_Answer], None],
) -> _Answer:
    """Do the work whole or not at all, and remember its answer in the same transaction.

    A struck request may have done its work and answer with an error all the same.
    """
    try:
        web.refuse_if_struck(struck)
        if "pay_at_expire" in struck:
            mishaps.pay_first(call.twin, call.path)
        with call.twin.store.transaction():
            answer = _done(work)
            if "error_after" in struck:
                failure = server_error()
                answer = _Answer.saying(failure.body, failure.status)
            remember(answer)
    except ApiError as error:
        answer = _Answer.saying(error.body, error.status)
        if error.is_stored:
            remember(answer)
    return answer
