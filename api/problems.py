"""How the API says that something went wrong: problem details with a stable code (RFC 9457).

Clients act on `code`; `detail` is for people. A new failure gets a code here, and only here.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.settings import api_settings

CONTENT_TYPE = "application/problem+json"
VERSION = "1"
VERSION_HEADER = "API-Version"
# Where a Stripe or a database that is away may be asked again, in seconds.
RETRY_AFTER = 10


class Code(StrEnum):
    """What may go wrong, with the status that says so and a sentence for the documentation."""

    status: int
    meaning: str

    def __new__(cls, code: str, status: int, meaning: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.status = status
        member.meaning = meaning
        return member

    MALFORMED = "malformed", 400, "The body cannot be read as what its Content-Type says it is."
    UNKNOWN_VERSION = "unknown_version", 400, "The API has no version of the number in API-Version."
    KEY_MISSING = "idempotency_key_missing", 400, "The request needs an Idempotency-Key."
    NOT_AUTHENTICATED = "not_authenticated", 401, "Sign in, and send the access token."
    BAD_TOKEN = "bad_token", 401, "The token is wrong, too old, or was revoked."
    BAD_CREDENTIALS = "bad_credentials", 401, "No active account has this address and password."
    SECOND_FACTOR_REQUIRED = "second_factor_required", 401, "Send the `code` of the app as well."
    BAD_SECOND_FACTOR = "bad_second_factor", 401, "The code is wrong, or was used before."
    INACTIVE = "account_inactive", 403, "The account is closed."
    SECOND_FACTOR_MISSING = "second_factor_missing", 403, "Staff set up a second step first."
    SIGN_IN_AGAIN = "sign_in_again", 403, "For the work of staff this sign-in is too old."
    FORBIDDEN = "forbidden", 403, "Who is signed in may not do this."
    NOT_FOUND = "not_found", 404, "There is no such thing, or it is somebody else's."
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "Nothing is done here by this method."
    NOT_ACCEPTABLE = "not_acceptable", 406, "The answer is JSON, which Accept leaves out."
    EMAIL_TAKEN = "email_taken", 409, "There is an account with this e-mail address."
    STOCK_SHORT = "stock_short", 409, "Less is free than was asked for; `cart` has the figures."
    CART_CHANGED = "cart_changed", 409, "Cart or prices differ from what `fingerprint` agreed to."
    NOT_ON_SALE = "not_on_sale", 409, "This is no longer sold."
    NOT_PLACEABLE = "not_placeable", 422, "The cart cannot be ordered as it is."
    NOT_PAYABLE = "not_payable", 409, "The order takes no payment now; `order` says how it stands."
    NOT_CANCELABLE = "not_cancelable", 409, "It is too late; `order` says how the order stands."
    NOT_REFUNDABLE = "not_refundable", 409, "So much, or so many units, cannot be given back."
    NOT_FULFILLABLE = "not_fulfillable", 409, "So many units cannot be handed over."
    NOT_DEACTIVATABLE = "not_deactivatable", 409, "This account cannot be closed by its owner."
    NOT_RETRYABLE = "not_retryable", 409, "Only failed events run again."
    STOCK_HELD = "stock_held", 409, "Pending orders hold units that would be taken away."
    IN_USE = "in_use", 409, "Something else refers to it."
    CONFLICT = "conflict", 409, "Somebody did the same at the same time: look again."
    KEY_RUNNING = "idempotency_key_running", 409, "The first request with this key still runs."
    TOO_LARGE = "too_large", 413, "The body is larger than is taken here."
    UNSUPPORTED_TYPE = "unsupported_media_type", 415, "Bodies of this Content-Type are not taken."
    INVALID = "invalid", 422, "Something in the request is wrong; `errors` says what."
    KEY_REUSED = "idempotency_key_reused", 422, "The key was used for another request."
    TOO_MANY = "too_many_requests", 429, "Wait as many seconds as Retry-After says."
    PAYMENT_BUSY = "payment_busy", 429, "Stripe is busy. Nothing is lost: try again."
    INTERNAL = "internal_error", 500, "A fault of the shop's, which its operators hear of."
    PAYMENT_REFUSED = "payment_refused", 500, "Stripe finds the shop's own request wrong."
    PAYMENT_UNREACHABLE = "payment_unreachable", 503, "Stripe does not answer. Nothing is lost."
    PAYMENT_UNAVAILABLE = "payment_unavailable", 503, "Stripe does not take payments for the shop."
    BUSY = "busy", 503, "The database did not answer in time. Repeat it, under the same key."


class Problem(Exception):
    """What ends a request with the answer of a code; `str(error)` is its `detail`.

    `errors` are said beside the field that they are about, `facts` are further members.
    """

    def __init__(
        self,
        code: Code,
        detail: str = "",
        *,
        errors: list[dict[str, str]] | None = None,
        facts: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or code.meaning)
        self.code = code
        self.errors = errors
        self.facts = dict(facts or {})
        self.headers = headers or {}

    def response(self) -> HttpResponse:
        """Return the answer, whole."""
        body: dict[str, Any] = {
            "type": f"{settings.SITE_URL}/api/problems/#{self.code}",
            "title": self.code.meaning,
            "status": self.code.status,
            "code": self.code,
            "detail": str(self),
        }
        if self.errors is not None:
            body["errors"] = self.errors
        headers = {VERSION_HEADER: VERSION, **self.headers}
        if self.code.status in {429, 503}:
            headers.setdefault("Retry-After", str(RETRY_AFTER))
        return HttpResponse(
            JSONRenderer().render(body | self.facts),
            status=self.code.status,
            headers=headers,
            content_type=CONTENT_TYPE,
        )


def handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """DRF's exception handler; what nobody foresaw goes on to Django, as on a page."""
    problem = context["view"].problem_of(error) or _foreseen(error)
    return problem.response() if problem else None


def _foreseen(error: Exception) -> Problem | None:
    match error:
        case Problem():
            return error
        case exceptions.ValidationError():
            return Problem(Code.INVALID, errors=_listed(error.get_full_details()))
        case exceptions.Throttled():
            seconds = max(1, math.ceil(getattr(error, "wait", None) or 0))
            return Problem(
                Code.TOO_MANY,
                f"Please wait {seconds} seconds, then try again.",
                headers={"Retry-After": str(seconds)},
            )
        case Http404() | exceptions.NotFound():
            return Problem(Code.NOT_FOUND)
        case PermissionDenied():
            return Problem(Code.FORBIDDEN)
        case RequestDataTooBig():
            return Problem(Code.TOO_LARGE)
        case SuspiciousOperation():
            return Problem(Code.MALFORMED)
        case exceptions.APIException():
            header = getattr(error, "auth_header", None)
            return Problem(
                _CODES.get(type(error), Code.INTERNAL),
                str(error.detail),
                headers={"WWW-Authenticate": header} if header else {},
            )
    return None


_CODES: dict[type[exceptions.APIException], Code] = {
    exceptions.ParseError: Code.MALFORMED,
    exceptions.NotAuthenticated: Code.NOT_AUTHENTICATED,
    exceptions.AuthenticationFailed: Code.BAD_TOKEN,
    exceptions.PermissionDenied: Code.FORBIDDEN,
    exceptions.MethodNotAllowed: Code.METHOD_NOT_ALLOWED,
    exceptions.NotAcceptable: Code.NOT_ACCEPTABLE,
    exceptions.UnsupportedMediaType: Code.UNSUPPORTED_TYPE,
}


def invalid(field: str, message: str, code: str = "invalid") -> Problem:
    """Return the problem of one field; an empty `field` is the request as a whole."""
    return Problem(Code.INVALID, errors=[{"field": field, "code": code, "message": message}])


def _listed(details: Any, field: str = "") -> list[dict[str, str]]:
    """Return DRF's nested errors as a list; `field` is a path like `shipping_address.city`."""
    if isinstance(details, dict) and "message" in details and "code" in details:
        return [{"field": field, "code": details["code"], "message": str(details["message"])}]
    if isinstance(details, dict):
        found = []
        for name, inner in details.items():
            whole = name == api_settings.NON_FIELD_ERRORS_KEY
            found += _listed(inner, field if whole else f"{field}.{name}".lstrip("."))
        return found
    # One list holds a field's errors; or, of nested rows, a dictionary for each.
    return [
        error
        for number, inner in enumerate(details)
        for error in _listed(inner, field if "message" in inner else f"{field}.{number}")
    ]
