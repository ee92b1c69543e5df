"""From the internet to the worker and back: the shop asked by its own public address.

What is posted to the webhook is an event of a type of our own, signed as Stripe signs. It means
nothing to anybody: the worker ignores it, as it ignores every type that it does not handle.
"""

import json
import time
from collections.abc import Iterator
from http import HTTPStatus

import requests
from django.conf import settings

from config.doctor.examination import CannotTell, Finding, Visit
from payments import gateway
from payments.models import InboxEvent
from payments.services import endpoints

EVENT_TYPE = "shop.doctor"
_TIMEOUT = (3.05, 10)  # seconds to connect, to read
_POLL_SECONDS = 0.1
_REACH = "Check name, certificate and proxy; from this machine, too, the public address must work."


def site(visit: Visit) -> Iterator[Finding]:
    """Ask for the home page, as a visitor does."""
    page = f"{settings.SITE_URL}/"
    try:
        answer = requests.get(page, allow_redirects=False, timeout=_TIMEOUT)
    except requests.exceptions.SSLError:
        yield Finding(
            f"The certificate of {settings.SITE_URL} is not valid.",
            "Have the proxy get one that browsers trust, for this name, and renew it in time.",
        )
    except requests.RequestException as error:
        yield Finding(f"{page} cannot be reached ({type(error).__name__}).", _REACH)
    else:
        if answer.headers.get("Location") == page:
            yield Finding(
                f"{page} redirects to itself: the shop does not know that HTTPS was spoken.",
                "Set TRUSTED_PROXY_COUNT to the number of your proxies, and let the first one set "
                "X-Forwarded-Proto.",
            )
        elif answer.status_code != HTTPStatus.OK:
            yield Finding(
                f"{page} answers {answer.status_code}.",
                "See the log of the web process, and whether the proxy leads to it with its Host.",
            )


def arrival(visit: Visit) -> Iterator[Finding]:
    """Post the event, and see whether it is in this shop's inbox."""
    row = visit.endpoint
    if row is None:
        raise CannotTell("no endpoint is stored here")
    body = json.dumps(_event(visit.event_id))
    signature = gateway.signature(body, row.secret)
    try:
        answer = requests.post(
            endpoints.address(row.djstripe_uuid),
            data=body.encode(),
            headers={"Content-Type": "application/json", "Stripe-Signature": signature},
            allow_redirects=False,
            timeout=_TIMEOUT,
        )
    except requests.RequestException as error:
        yield Finding(f"The webhook cannot be reached ({type(error).__name__}).", _REACH)
        return
    if answer.status_code != HTTPStatus.OK:
        words = answer.text if answer.status_code == HTTPStatus.BAD_REQUEST else ""
        yield Finding(
            f"The webhook answers a signed event with {answer.status_code} {words[:40]}".strip()
            + ".",
            "Let the proxy pass the address, its slash and the body on unchanged, to this shop.",
        )
    elif not InboxEvent.objects.filter(event_id=visit.event_id).exists():
        yield Finding(
            "The webhook took a signed event, and it is not in this inbox.",
            "Restart the web processes, so that they have this database and this key.",
        )


def processing(visit: Visit) -> Iterator[Finding]:
    """Wait until the worker is done with the event, then forget it."""
    event = InboxEvent.objects.filter(event_id=visit.event_id)
    ignored = event.filter(state=InboxEvent.State.IGNORED)
    give_up_at = time.monotonic() + visit.patience_seconds
    while not ignored.exists():
        if time.monotonic() > give_up_at:
            # It is left, because a job waits for it; type and id say what it is.
            yield Finding(
                f"No worker took up {visit.event_id} within {visit.patience_seconds:.0f} seconds.",
                "Let a worker serve the queue webhooks, with this database: manage.py worker",
            )
            return
        time.sleep(_POLL_SECONDS)
    event.delete()


def _event(event_id: str) -> dict[str, object]:
    return {
        "id": event_id,
        "object": "event",
        "api_version": settings.STRIPE_API_VERSION,
        "created": int(time.time()),
        "livemode": settings.STRIPE_LIVE_MODE,
        "type": EVENT_TYPE,
        "data": {"object": {}},
    }
