"""Everything that is said to Stripe; the only module of ours that imports its library.

Reads come back as frozen facts in our own terms: ISO currency codes, aware UTC moments, and amounts
as Stripe counts them, which `amount_minor` gives in minor units (raising money.UnsupportedCurrency
or money.InexactAmount, so that a foreign object can be read and left alone). Failures come back as
the few errors below, one per row of the design's table of failures; none carries Stripe's own
message to a page. Never call this with a transaction open.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import stripe
import structlog
from django.conf import settings
from stripe.params.checkout import SessionCreateParams, SessionListParams

from shop import money

logger = structlog.get_logger(__name__)

_CONNECT_SECONDS, _READ_SECONDS = 3.05, 10
_INTENT = "payment_intent.latest_charge.balance_transaction"


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


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount as Stripe counts it, with its ISO 4217 code."""

    amount: int
    currency: str

    @property
    def amount_minor(self) -> int:
        return money.from_stripe(self.amount, self.currency)


@dataclass(frozen=True, slots=True)
class Fee(Amount):
    """What Stripe keeps, in the account's settlement currency."""

    balance_transaction_id: str


@dataclass(frozen=True, slots=True)
class Charge(Amount):
    """Money taken from the buyer; `fee` is None until Stripe knows it."""

    id: str
    charged_at: datetime
    fee: Fee | None


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent; `charge` is its latest charge once that has captured money."""

    id: str
    status: str
    metadata: dict[str, str]
    charge: Charge | None


@dataclass(frozen=True, slots=True)
class Session(Amount):
    """A Checkout Session; the amount is its total."""

    id: str
    url: str
    status: str
    payment_status: str
    mode: str
    livemode: bool
    reference: str
    metadata: dict[str, str]
    intent: Intent | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook endpoint; `secret` is told once, by the answer that made it."""

    id: str
    url: str
    api_version: str
    enabled_events: tuple[str, ...]
    is_enabled: bool
    secret: str = field(default="", repr=False)


def create_session(*, params: SessionCreateParams, idempotency_key: str) -> Session:
    """Open a Checkout Session; repeating the key with the same params returns the same one."""
    with failures():
        return _session(
            _client().v1.checkout.sessions.create(
                params=params, options={"idempotency_key": idempotency_key}
            )
        )


def retrieve_session(session_id: str) -> Session:
    """Read a session with its intent, charge and fee; raises Missing."""
    with failures():
        return _session(
            _client().v1.checkout.sessions.retrieve(session_id, params={"expand": [_INTENT]})
        )


def expire_session(session_id: str) -> Session:
    """End a session, so that nothing can be paid by it; raises Refused when it is not open."""
    with failures():
        return _session(_client().v1.checkout.sessions.expire(session_id))


def session_of_attempt(key: str, *, created_after: datetime) -> Session | None:
    """Find the session whose metadata names this attempt, among those made since `created_after`.

    Stripe has no filter by reference, so its list is read, newest first.
    """
    params: SessionListParams = {
        "created": {"gte": int(created_after.timestamp())},
        "limit": 100,
    }
    with failures():
        for found in _client().v1.checkout.sessions.list(params=params).auto_paging_iter():
            if _metadata(found.metadata).get("attempt") == key:
                return retrieve_session(found.id)
    return None


def session_of_intent(intent_id: str) -> Session | None:
    """Read the session that an intent belongs to, or None when it has none."""
    with failures():
        found = _client().v1.checkout.sessions.list(
            params={"payment_intent": intent_id, "expand": [f"data.{_INTENT}"], "limit": 1}
        )
        return _session(found.data[0]) if found.data else None


def retrieve_intent(intent_id: str) -> Intent:
    """Read an intent with its latest charge and fee; raises Missing."""
    with failures():
        return _intent(
            _client().v1.payment_intents.retrieve(
                intent_id, params={"expand": [_INTENT.partition(".")[2]]}
            )
        )


def ping() -> None:
    """Ask Stripe whose key this is: one small object, and nobody's order or person in it."""
    with failures():
        try:
            _client().v1.accounts.retrieve_current()
        except stripe.PermissionError:
            # Stripe knows our key. A restricted one need not have the right to see the account.
            return


def list_endpoints() -> list[Endpoint]:
    """Read every webhook endpoint of the account, newest first."""
    with failures():
        listed = _client().v1.webhook_endpoints.list(params={"limit": 100})
        return [_endpoint(found) for found in listed.auto_paging_iter()]


def create_endpoint(
    *, url: str, events: Sequence[str], metadata: dict[str, str], idempotency_key: str
) -> Endpoint:
    """Have Stripe post these types of events to `url`; an unanswered request is repeated."""
    # The library wants each type of event as a literal.
    params: Any = {
        "url": url,
        "enabled_events": list(events),
        "api_version": settings.STRIPE_API_VERSION,
        "metadata": metadata,
    }
    with failures():
        return _endpoint(
            _client().v1.webhook_endpoints.create(
                params=params,
                options={"idempotency_key": idempotency_key, "max_network_retries": 2},
            )
        )


def update_endpoint(endpoint_id: str, *, url: str, events: Sequence[str]) -> Endpoint:
    """Enable an endpoint with this address and these events; its API version cannot change."""
    params: Any = {"url": url, "enabled_events": list(events), "disabled": False}
    with failures():
        return _endpoint(_client().v1.webhook_endpoints.update(endpoint_id, params=params))


def delete_endpoint(endpoint_id: str) -> None:
    """Have Stripe post nothing there any more; raises Missing."""
    with failures():
        _client().v1.webhook_endpoints.delete(endpoint_id)


def configure_library() -> None:
    """Give dj-stripe's calls, which use the library's global client, our time-outs and retries."""
    stripe.default_http_client = stripe.RequestsClient(timeout=(_CONNECT_SECONDS, _READ_SECONDS))
    stripe.max_network_retries = 0


@cache
def _client() -> stripe.StripeClient:
    # The client of its own knows nothing of the library's global address: it is told here.
    host = getattr(settings, "STRIPE_API_HOST", None)
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        stripe_version=settings.STRIPE_API_VERSION,
        base_addresses={"api": host} if host else {},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=(_CONNECT_SECONDS, _READ_SECONDS)),
    )


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
        case stripe.InvalidRequestError() | stripe.IdempotencyError():
            return Refused(name)
        case stripe.APIError(http_status=409):
            return KeyInUse(name)
        case _:
            replayed = (error.headers or {}).get("Idempotent-Replayed") == "true"
            return ReplayedFailure(name) if replayed else Unreachable(name)


def _endpoint(found: stripe.WebhookEndpoint) -> Endpoint:
    return Endpoint(
        id=found.id,
        url=found.url,
        api_version=found.api_version or "",
        enabled_events=tuple(found.enabled_events),
        is_enabled=found.status == "enabled",
        # Left out of every answer but one.
        secret=getattr(found, "secret", None) or "",
    )


def _session(found: stripe.checkout.Session) -> Session:
    intent = found.payment_intent
    return Session(
        id=found.id,
        url=found.url or "",
        status=found.status or "",
        payment_status=found.payment_status,
        mode=found.mode,
        livemode=found.livemode,
        reference=found.client_reference_id or "",
        metadata=_metadata(found.metadata),
        amount=found.amount_total or 0,
        currency=(found.currency or "").upper(),
        intent=_intent(intent) if isinstance(intent, stripe.PaymentIntent) else None,
    )


def _intent(found: stripe.PaymentIntent) -> Intent:
    charge = found.latest_charge
    return Intent(
        id=found.id,
        status=found.status,
        metadata=_metadata(found.metadata),
        charge=_charge(charge)
        if isinstance(charge, stripe.Charge) and charge.paid and charge.captured
        else None,
    )


def _charge(found: stripe.Charge) -> Charge:
    moved = found.balance_transaction
    return Charge(
        id=found.id,
        amount=found.amount_captured,
        currency=found.currency.upper(),
        charged_at=datetime.fromtimestamp(found.created, UTC),
        fee=Fee(balance_transaction_id=moved.id, amount=moved.fee, currency=moved.currency.upper())
        if isinstance(moved, stripe.BalanceTransaction)
        else None,
    )


def _metadata(found: Any) -> dict[str, str]:
    # The library's objects are no dictionaries.
    return found.to_dict() if found else {}
