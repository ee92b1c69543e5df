"""The one endpoint to which Stripe posts, as dj-stripe's row and as Stripe knows it.

The row holds the secret, which Stripe tells only to whoever makes the endpoint. So whatever went
wrong before, a killed run or a lost database, is mended by making a new endpoint, storing its row,
and only then deleting the old one: there is never a moment without an endpoint that works.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.urls import reverse
from djstripe.enums import WebhookEndpointStatus, WebhookEndpointValidation
from djstripe.models import WebhookEndpoint

from payments import gateway
from payments.models import InboxEvent
from payments.services.news import HANDLED
from shop.faults import fault_point

# The row of an endpoint that this shop did not make: Stripe CLI's, the sandbox's, a person's.
BY_HAND = "we_shop"
# So many events in a row; one alone may be found before its webhook comes.
_SILENT_FOR = 5
_LOCK = 0x776562686F6F6B  # any number that nobody else locks
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".test")


class AlreadyRunning(Exception):
    """Another run is provisioning the endpoint."""


class OldNotDeleted(Exception):
    """The endpoint is as it should be, but an old one could not be deleted at Stripe."""

    def __init__(self, endpoint_id: str) -> None:
        super().__init__(endpoint_id)
        self.endpoint_id = endpoint_id


class WhyNew(StrEnum):
    FIRST = "first"
    GONE = "gone"
    SECRET_LOST = "secret_lost"  # noqa: S105 - a reason
    OTHER_VERSION = "other_version"
    RENEWED = "renewed"


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What stands now, and what was done for it: an endpoint made, fields changed, old deleted."""

    id: str
    url: str
    why_new: WhyNew | None = None
    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


def is_reachable_by_stripe() -> bool:
    """Tell whether SITE_URL looks like an address to which Stripe itself can post."""
    site = urlsplit(settings.SITE_URL)
    host = site.hostname or ""
    try:
        is_public = ip_address(host).is_global
    except ValueError:
        is_public = "." in host and not host.endswith(_LOCAL_NAMES)
    return site.scheme == "https" and is_public


def working() -> QuerySet[WebhookEndpoint]:
    """Return the endpoints by which events may come in: switched on, and with their checks."""
    endpoints: QuerySet[WebhookEndpoint] = WebhookEndpoint.objects.exclude(secret="").filter(
        status=WebhookEndpointStatus.enabled,
        djstripe_validation_method=WebhookEndpointValidation.verify_signature,
    )
    return endpoints


def in_use() -> WebhookEndpoint | None:
    """Return the endpoint by which this shop's events come in now, if there is one."""
    here = working().filter(livemode=settings.STRIPE_LIVE_MODE, id__startswith="we_")
    if settings.STRIPE_WEBHOOK_SECRET:
        here = here.filter(id=BY_HAND, secret=settings.STRIPE_WEBHOOK_SECRET)
    return here.order_by("-djstripe_created").first()


def is_sent_all(endpoint: WebhookEndpoint) -> bool:
    """Tell whether all that this version of the shop handles was asked for, as far as is known."""
    sent = set(endpoint.enabled_events)
    return "*" in sent or sent >= set(HANDLED)


def is_silent(endpoint: WebhookEndpoint) -> bool:
    """Tell whether the latest events, all since it was last changed, came only by asking for them.

    So it looks when Stripe signs with another secret than ours, which our own checks cannot see.
    """
    latest = InboxEvent.objects.filter(received_at__gt=endpoint.djstripe_updated)[:_SILENT_FOR]
    return [event.source for event in latest] == [InboxEvent.Source.RECONCILE] * _SILENT_FOR


def keep_by_hand() -> Provisioned:
    """Have a row with the secret of STRIPE_WEBHOOK_SECRET; its address never changes."""
    row = WebhookEndpoint.objects.filter(id=BY_HAND).first()
    is_new = row is None
    row = row or WebhookEndpoint(id=BY_HAND)
    changed = _bring_up_to_date(
        row,
        url=address(row.djstripe_uuid),
        secret=settings.STRIPE_WEBHOOK_SECRET,
        api_version=settings.STRIPE_API_VERSION,
        # What is sent was chosen by whoever made it.
        enabled_events=["*"],
    )
    return Provisioned(row.id, row.url, WhyNew.FIRST if is_new else None, changed)


def provision(*, renew: bool = False) -> Provisioned:
    """Have exactly one endpoint at Stripe that posts to us, and its row; safe to repeat.

    `renew` makes a new one, with a new secret. Raises AlreadyRunning, OldNotDeleted and the
    gateway's errors, after which a repeat goes on where this one ended.
    """
    with _alone():
        at_stripe = {endpoint.id: endpoint for endpoint in gateway.list_endpoints()}
        rows = _rows()
        row = next((row for row in rows if row.id in at_stripe), rows[0] if rows else None)
        old = {found for found in at_stripe if at_stripe[found].url.startswith(address())}
        why_new = _why_new(row, at_stripe, old, renew)
        if row is None or why_new:
            made = _make()
            done = Provisioned(made.id, made.url, why_new)
        else:
            changed = _update(row, at_stripe[row.id])
            done = Provisioned(row.id, row.url, None, changed)
        deleted = _delete((old | {row.id for row in rows}) - {done.id}, at_stripe)
    return Provisioned(done.id, done.url, done.why_new, done.changed, deleted)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep a second run out; no transaction, because Stripe is called meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        (is_ours,) = cursor.fetchone()
        if not is_ours:
            raise AlreadyRunning
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def address(uuid: UUID | None = None) -> str:
    """Return the address of an endpoint, or, without `uuid`, what all of them begin with."""
    path = reverse("djstripe:djstripe_webhook_by_uuid", args=[uuid or UUID(int=0)])
    url: str = settings.SITE_URL + path
    return url if uuid else url.removesuffix(f"{UUID(int=0)}/")


def _rows() -> list[WebhookEndpoint]:
    """Return the rows of endpoints that were made here, newest first: one, unless a run broke off.

    Rows that dj-stripe has copied from Stripe have no secret: they are other sites' endpoints.
    """
    rows = WebhookEndpoint.objects.filter(livemode=settings.STRIPE_LIVE_MODE, id__startswith="we_")
    return list(rows.exclude(id=BY_HAND).exclude(secret="").order_by("-djstripe_created"))


def _why_new(
    row: WebhookEndpoint | None,
    at_stripe: dict[str, gateway.Endpoint],
    here: set[str],
    renew: bool,
) -> WhyNew | None:
    """Return why the endpoint must be made, or None when the one there will do."""
    if row is None:
        return WhyNew.SECRET_LOST if here else WhyNew.FIRST
    if row.id not in at_stripe:
        return WhyNew.GONE
    if renew:
        return WhyNew.RENEWED
    is_same = at_stripe[row.id].api_version == settings.STRIPE_API_VERSION
    return None if is_same else WhyNew.OTHER_VERSION


def _make() -> gateway.Endpoint:
    uuid = uuid4()
    made = gateway.create_endpoint(
        url=address(uuid),
        events=HANDLED,
        # dj-stripe takes the uuid from here, should the row be copied from Stripe again.
        metadata={"app": settings.STRIPE_APP_TAG, "djstripe_uuid": str(uuid)},
        # It serves the repeats of this one request. A later run makes an endpoint of its own: what
        # Stripe would repeat then may have been deleted meanwhile.
        idempotency_key=f"endpoint-{uuid}",
    )
    fault_point("endpoints:after-stripe")
    row = WebhookEndpoint(id=made.id, djstripe_uuid=uuid)
    _bring_up_to_date(row, secret=made.secret, **_facts(made))
    fault_point("endpoints:before-delete")
    return made


def _update(row: WebhookEndpoint, found: gateway.Endpoint) -> tuple[str, ...]:
    url = address(row.djstripe_uuid)
    differs = {
        "url": found.url != url,
        "enabled_events": set(found.enabled_events) != set(HANDLED),
        "status": not found.is_enabled,
    }
    if any(differs.values()):
        found = gateway.update_endpoint(found.id, url=url, events=HANDLED)
    changed_here = _bring_up_to_date(row, **_facts(found))
    changed = {name for name, is_so in differs.items() if is_so}
    return tuple(sorted(changed | set(changed_here)))


def _delete(old: set[str], at_stripe: dict[str, gateway.Endpoint]) -> tuple[str, ...]:
    """Delete old endpoints at Stripe, and then their rows; returns the ids of those there were."""
    for endpoint_id in sorted(old & at_stripe.keys()):
        try:
            gateway.delete_endpoint(endpoint_id)
        except gateway.Missing:
            pass  # somebody was quicker
        except gateway.GatewayError as error:
            raise OldNotDeleted(endpoint_id) from error
    stale = [*old, *([BY_HAND] if old else [])]
    WebhookEndpoint.objects.filter(id__in=stale).delete()
    return tuple(sorted(old & at_stripe.keys()))


def _facts(endpoint: gateway.Endpoint) -> dict[str, Any]:
    return {
        "url": endpoint.url,
        "api_version": endpoint.api_version,
        "enabled_events": list(endpoint.enabled_events),
    }


@transaction.atomic
def _bring_up_to_date(row: WebhookEndpoint, **facts: Any) -> tuple[str, ...]:
    """Save what differs, with its checks on; returns the names of what did."""
    facts |= {
        "livemode": settings.STRIPE_LIVE_MODE,
        "status": WebhookEndpointStatus.enabled,
        "djstripe_validation_method": WebhookEndpointValidation.verify_signature,
    }
    changed = tuple(name for name, fact in facts.items() if getattr(row, name) != fact)
    for name in changed:
        setattr(row, name, facts[name])
    if changed:
        row.save()
    return changed
