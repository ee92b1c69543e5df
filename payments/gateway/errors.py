"""How Stripe fails, in our own terms: one error per row of the design's table of failures."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import stripe
import structlog

logger = structlog.get_logger(__name__)


class GatewayError(Exception):
    """Stripe did not do what it was asked."""


class Unreachable(GatewayError):
    """No answer, or a 5xx: what was asked may have been done or not. Passing."""


class ReplayedFailure(Unreachable):
    """The stored answer of an earlier request was itself a 5xx; repeating gives it again."""


class Busy(GatewayError):
    """429: too many requests. Passing."""


class KeyInUse(GatewayError):
    """409: another request with the same idempotency key is running. Passing."""


class NotAvailable(GatewayError):
    """Stripe refuses our key."""


class NotAllowed(NotAvailable):
    """Stripe knows our key, yet it is restricted and may not do this."""


class Refused(GatewayError):
    """Stripe found the request wrong; a session that is no longer open, or a bug of ours."""


class BadEmail(Refused):
    """The buyer's e-mail address is none in Stripe's eyes, though it was one in ours."""


class Missing(Refused):
    """Stripe knows no such object."""


@contextmanager
def failures() -> Iterator[None]:
    """Turn the library's errors into ours, and log what Stripe's support would ask for.

    Also for dj-stripe's own calls, which raise the library's errors.
    """
    try:
        yield
    except stripe.StripeError as error:
        ours = _translated(error)
        is_nobodys_bug = isinstance(ours, Unreachable | Busy | KeyInUse | BadEmail)
        level = logging.WARNING if is_nobodys_bug else logging.ERROR
        logger.log(
            level,
            "stripe call failed",
            error=type(error).__name__,
            status=error.http_status,
            code=error.code,
            param=getattr(error, "param", None),
            stripe_request_id=error.request_id,
        )
        raise ours from error


def _translated(error: stripe.StripeError) -> GatewayError:
    name = type(error).__name__
    match error:
        case stripe.RateLimitError():
            return Busy(name)
        case stripe.AuthenticationError():
            return NotAvailable(name)
        case stripe.PermissionError():
            return NotAllowed(name)
        case stripe.InvalidRequestError(http_status=404):
            return Missing(name)
        case stripe.InvalidRequestError(code="email_invalid"):
            return BadEmail(name)
        case stripe.InvalidRequestError() | stripe.IdempotencyError() | stripe.CardError():
            return Refused(error.code or name)
        case stripe.APIError(http_status=409):
            return KeyInUse(name)
        case _:
            replayed = (error.headers or {}).get("Idempotent-Replayed") == "true"
            return ReplayedFailure(name) if replayed else Unreachable(name)
