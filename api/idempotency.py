"""Requests that may be repeated: the first answer is kept under the client's key, and given again.

The row is committed before anything is done. That a request runs is told by a lock of its database
session, which ends with the process: no key stays running for ever. A request that died between
its effect and its answer is done again under the same `uuid`, by which services know their work.

Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import functools
import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Concatenate, ParamSpec, TypeVar, cast
from uuid import UUID

from django.db import connection
from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.guests import guest_of
from api.models import IdempotencyKey
from api.problems import Code, Problem

P = ParamSpec("P")
V = TypeVar("V", bound=APIView)

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
_UUID = "IDEMPOTENCY_UUID"
_IS_RESUMED = "IDEMPOTENCY_IS_RESUMED"
KEPT_FOR = timedelta(hours=24)
_STILL_RUNS = timedelta(hours=1)
_SANE_KEY = re.compile(r"[\x21-\x7e]{1,255}")
# Answers that say "not now": the same key is tried anew.
_PASSING = {429}


def idempotent(
    method: Callable[Concatenate[V, Request, P], HttpResponseBase],
) -> Callable[Concatenate[V, Request, P], HttpResponseBase]:
    """Let a view's method be repeated under the client's key; without one it is refused.

    The method finds the key of what it makes by `key_of`.
    """

    @functools.wraps(method)
    def once(view: V, request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        key = request.headers.get(HEADER, "")
        if not _SANE_KEY.fullmatch(key):
            raise Problem(
                Code.KEY_MISSING,
                f"Send {HEADER}: 1 to 255 visible ASCII characters, new for each deed.",
            )
        caller, fingerprint = _caller(request), _fingerprint(request)
        with _running(caller, key):
            row, is_new = _row(caller, key, fingerprint, timezone.now())
            if row.status is not None:
                return _again(row)
            request.META |= {_UUID: row.uuid, _IS_RESUMED: not is_new}
            try:
                answer = method(view, request, *args, **kwargs)
            except Exception as error:
                answer = view.handle_exception(error)
            _keep(row, answer)
            return answer

    once.is_idempotent = True  # type: ignore[attr-defined]
    return once


def key_of(request: Request) -> UUID:
    """Return the key under which services make what this request asks for."""
    uuid: UUID = request.META[_UUID]
    return uuid


def is_resumed(request: Request) -> bool:
    """Tell whether an earlier request under this key was begun and never answered."""
    return bool(request.META[_IS_RESUMED])


def forget_old(*, at: datetime) -> int:
    """Delete the keys of a day ago, less those that may just be used; return how many."""
    old = IdempotencyKey.objects.filter(created_at__lt=at - KEPT_FOR - _STILL_RUNS)
    deleted, _per_model = old.delete()
    return deleted


def forget_answers(*, naming: Collection[str]) -> int:
    """Empty the answers that name one of these, which have to be long and nobody else's.

    Such as the number of an order. What is repeated under such a key is answered without a body.
    """
    if not naming:
        return 0
    named = IdempotencyKey.objects.filter(body__regex="|".join(map(re.escape, naming)))
    return named.update(body="")


@contextmanager
def _running(caller: str, key: str) -> Iterator[None]:
    """Hold the key while the request runs, or say that another one does.

    The lock is the database session's, because the work commits in several steps.
    """
    digest = hashlib.blake2b(f"{caller} {key}".encode(), digest_size=8).digest()
    number = int.from_bytes(digest, signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        (is_ours,) = cursor.fetchone()
    if not is_ours:
        raise Problem(Code.KEY_RUNNING, headers={"Retry-After": "1"})
    session = connection.connection
    try:
        yield
    finally:
        # A session that was lost meanwhile took its locks along.
        if connection.connection is session:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [number])


def _row(caller: str, key: str, fingerprint: str, at: datetime) -> tuple[IdempotencyKey, bool]:
    """Return the row of a key, and whether it is new; a known one must be of the same request.

    The key is held: nobody else makes its row meanwhile.
    """
    row = IdempotencyKey.objects.filter(caller=caller, key=key).first()
    if row and row.created_at < at - KEPT_FOR:
        row.delete()
        row = None
    if row is None:
        return IdempotencyKey.objects.create(
            caller=caller, key=key, fingerprint=fingerprint, created_at=at
        ), True
    if row.fingerprint != fingerprint:
        raise Problem(Code.KEY_REUSED)
    return row, False


def _caller(request: Request) -> str:
    if request.user.is_authenticated:
        return f"user:{request.user.pk}"
    return f"guest:{hashlib.sha256(guest_of(request).encode()).hexdigest()}"


def _fingerprint(request: Request) -> str:
    """Return a hash of what is asked: method, address, and the body's very bytes."""
    asked = f"{request.method} {request.get_full_path()}\n".encode() + request._request.body
    return hashlib.sha256(asked).hexdigest()


def _keep(row: IdempotencyKey, answer: HttpResponseBase) -> None:
    if answer.status_code >= 500 or answer.status_code in _PASSING:
        return
    if isinstance(answer, Response):
        content_type, body = "application/json", JSONRenderer().render(answer.data)
    else:
        content_type, body = answer.headers["Content-Type"], cast(HttpResponse, answer).content
    IdempotencyKey.objects.filter(pk=row.pk).update(
        status=answer.status_code, content_type=content_type, body=body.decode()
    )


def _again(row: IdempotencyKey) -> HttpResponse:
    return HttpResponse(
        row.body,
        status=row.status,
        content_type=row.content_type,
        headers={REPLAYED: "true"},
    )
