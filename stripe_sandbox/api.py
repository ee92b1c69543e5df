"""Stripe's API: authentication, idempotency, errors and headers around the endpoints."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from stripe_sandbox import endpoints, web
from stripe_sandbox.call import Call
from stripe_sandbox.errors import ApiError, server_error, unauthorized
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


@csrf_exempt
def api(request: HttpRequest, path: str) -> HttpResponse:
    """Answer one call below /v1/."""
    twin = twin_of(request)
    struck = twin.faults.strike_request(request.method or "", request.path)
    return web.answered(request, struck, lambda: _respond(request, twin, struck))


def _respond(request: HttpRequest, twin: Twin, struck: dict[str, Fault]) -> HttpResponse:
    request_id = new_id("req_", 14)
    try:
        answer = _answer(request, twin, struck, request_id)
    except ApiError as error:
        answer = _Answer(error.status, json.dumps(error.body, indent=2))
    headers = {
        "Request-Id": request_id,
        "Stripe-Version": API_VERSION,
        "Cache-Control": "no-cache, no-store",
    }
    if key := _key(request):
        headers["Idempotency-Key"] = key
        headers["Original-Request"] = answer.replays or request_id
        if answer.replays:
            headers["Idempotent-Replayed"] = "true"
    return HttpResponse(
        answer.body, status=answer.status, content_type="application/json", headers=headers
    )


def _key(request: HttpRequest) -> str:
    """Return the idempotency key; it does nothing on GET."""
    return request.headers.get("Idempotency-Key", "") if request.method == "POST" else ""


def _authenticate(request: HttpRequest, secret_key: str) -> None:
    key = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not secrets.compare_digest(key.encode(), secret_key.encode()):
        raise unauthorized(key)


def _params(request: HttpRequest) -> dict[str, Any]:
    encoded = request.META.get("QUERY_STRING", "")
    if request.method == "POST":
        encoded = request.body.decode(errors="replace")
    return decode(parse_qsl(encoded, keep_blank_values=True))


def _answer(request: HttpRequest, twin: Twin, struck: dict[str, Fault], request_id: str) -> _Answer:
    _authenticate(request, twin.secret_key)
    endpoint, ids = endpoints.route(request.method or "", request.path)
    raw = _params(request)
    params, expand = split_expand(raw)
    key = _key(request)
    call = Call(
        twin=twin,
        path=request.path,
        params=params,
        expand=expand,
        base_url=f"{request.scheme}://{request.get_host()}",
        origin=Origin(request_id, key or None),
    )
    if not key:
        web.refuse_if_struck(struck)
        return _run(call, struck, lambda: endpoint(call, **ids))
    print_ = fingerprint(request.method or "", request.path, raw)
    with twin.keys.claimed(key, print_) as stored:
        if stored:
            return _Answer(stored.status, stored.body, replays=stored.request_id)
        return _run_and_store(call, struck, lambda: endpoint(call, **ids), key, print_)


def _run(call: Call, struck: dict[str, Fault], work: Callable[[], dict[str, Any]]) -> _Answer:
    """Do the work whole or not at all; a result that a fault replaces by an error is done too."""
    with call.twin.store.transaction():
        body = work()
    if "error_after" in struck:
        raise server_error()
    return _Answer(200, json.dumps(body, indent=2))


def _run_and_store(
    call: Call,
    struck: dict[str, Fault],
    work: Callable[[], dict[str, Any]],
    key: str,
    print_: str,
) -> _Answer:
    store = call.twin.store
    # The result is committed with its effect, so that a crash between the two is impossible.
    try:
        web.refuse_if_struck(struck, key)
        with store.transaction():
            try:
                answer = _run(call, struck, work)
            except ApiError as error:
                if error.status != 500:
                    raise
                answer = _Answer(500, json.dumps(error.body, indent=2))
            store.store_answer(key, _stored(call, answer, print_))
    except ApiError as error:
        if not error.is_stored:
            raise
        answer = _Answer(error.status, json.dumps(error.body, indent=2))
        with store.transaction():
            store.store_answer(key, _stored(call, answer, print_))
    return answer


def _stored(call: Call, answer: _Answer, print_: str) -> StoredAnswer:
    return StoredAnswer(print_, call.origin.request_id or "", answer.status, answer.body)
