"""What Stripe says of keys, account, clock and endpoint."""

import re
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import connection

from config.doctor.examination import CannotTell, Finding, Visit
from payments import gateway
from payments.models import PaymentAttempt
from payments.services import endpoints
from payments.services.news import HANDLED
from shop.clock import now

_TOLERANCE = timedelta(seconds=60)
# Where a capability is not called as the method is.
_CAPABILITIES = {"us_bank_account": "us_bank_account_ach_payments"}
_PROVISION = "Run: manage.py provision_webhook"


def secret_key(visit: Visit) -> Iterator[Finding]:
    mode = _mode(settings.STRIPE_SECRET_KEY, "[sr]k")
    if mode is None:
        yield Finding(
            "STRIPE_SECRET_KEY is no secret key of Stripe's.",
            "Set it to the one that begins with sk_ or rk_, from Stripe's dashboard, API keys.",
        )
    elif settings.STRIPE_LIVE_MODE is not (mode == "live"):
        yield Finding(
            f"STRIPE_LIVE_MODE is {settings.STRIPE_LIVE_MODE}, and STRIPE_SECRET_KEY a {mode} key.",
            "Leave STRIPE_LIVE_MODE to config/settings.py, which reads it off the key.",
        )
    elif mode == "live" and hasattr(settings, "STRIPE_API_HOST"):
        yield Finding(
            "STRIPE_API_HOST names a sandbox, and STRIPE_SECRET_KEY is a live key.",
            "Take STRIPE_API_HOST out of the environment.",
        )
    elif mode == "test":
        yield Finding("The keys are of test mode: nobody's money is taken.")


def publishable_key(visit: Visit) -> Iterator[Finding]:
    mode = _mode(settings.STRIPE_SECRET_KEY, "[sr]k")
    if not settings.STRIPE_PUBLISHABLE_KEY:
        yield Finding("STRIPE_PUBLISHABLE_KEY is empty: only apps that pay by themselves need it.")
    elif _mode(settings.STRIPE_PUBLISHABLE_KEY, "pk") != mode:
        yield Finding(
            f"STRIPE_PUBLISHABLE_KEY is no publishable {mode} key, as STRIPE_SECRET_KEY asks for.",
            f"Set it to the one that begins with pk_{mode}_, of the same account.",
        )


def stripe_answers(visit: Visit) -> Iterator[Finding]:
    try:
        if visit.account is None:
            yield Finding("STRIPE_SECRET_KEY is restricted and may not read its account.")
    except gateway.NotAvailable:
        yield Finding(
            "Stripe refuses STRIPE_SECRET_KEY.",
            "Set it to a key that is not expired or rolled, from Stripe's dashboard, API keys.",
        )
    except gateway.GatewayError as error:
        yield Finding(
            f"Stripe cannot be asked ({type(error).__name__}).",
            "See status.stripe.com, and that this machine may open connections to api.stripe.com.",
        )


def same_account(visit: Visit) -> Iterator[Finding]:
    """Read a payment of our account by the publishable key, as an app would."""
    if not settings.STRIPE_PUBLISHABLE_KEY:
        raise CannotTell("STRIPE_PUBLISHABLE_KEY is empty")
    try:
        is_same = _opens_a_payment()
    except gateway.NotAllowed:
        raise  # it is the secret key that may not read a payment
    except gateway.NotAvailable:
        yield Finding(
            "Stripe refuses STRIPE_PUBLISHABLE_KEY.",
            "Set it to the one beside the secret key, in Stripe's dashboard, API keys.",
        )
    else:
        if is_same is None:
            raise CannotTell("it shows once somebody has paid")
        elif not is_same:
            yield Finding(
                "STRIPE_PUBLISHABLE_KEY is of another account than STRIPE_SECRET_KEY.",
                "Take both keys from the same account and the same page of Stripe's dashboard.",
            )


def _opens_a_payment() -> bool | None:
    """Return None when there is no payment to try it on."""
    latest = PaymentAttempt.objects.filter(intent_id__isnull=False).order_by("-pk").first()
    if latest and latest.intent_id:
        try:
            return gateway.publishable_key_opens(latest.intent_id)
        except gateway.Missing:
            pass  # a payment of the other mode, or from before the account was changed
    gateway.try_publishable_key()
    return None


def account(visit: Visit) -> Iterator[Finding]:
    if not visit.known_account.charges_enabled:
        yield Finding(
            "Stripe does not let the account take payments yet.",
            "Answer what Stripe still asks for, in its dashboard under Settings, Business.",
        )


def currency(visit: Visit) -> Iterator[Finding]:
    country = visit.known_account.country
    if settings.SHOP_CURRENCY not in gateway.payment_currencies(country):
        yield Finding(
            f"Stripe takes no {settings.SHOP_CURRENCY} for an account in {country}.",
            "Set SHOP_CURRENCY to one that it takes: docs.stripe.com/currencies",
        )


def methods(visit: Visit) -> Iterator[Finding]:
    capabilities = visit.known_account.capabilities
    for method in settings.PAYMENT_METHODS:
        state = capabilities.get(_CAPABILITIES.get(method, f"{method}_payments"))
        if state is None:
            yield Finding(f"Stripe does not say whether the account takes {method}.")
        elif state != "active":
            yield Finding(
                f"The account does not take {method}, which PAYMENT_METHODS has: it is {state}.",
                "Switch it on in Stripe's dashboard under Settings, Payment methods, or leave it "
                "out of PAYMENT_METHODS.",
            )


def clock(visit: Visit) -> Iterator[Finding]:
    """Compare our clock with PostgreSQL's, by which jobs become due, and with Stripe's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (at_postgres,) = cursor.fetchone()
    differences = {"PostgreSQL's": now() - at_postgres}
    if at_stripe := gateway.time_at_stripe():
        differences["Stripe's"] = now() - at_stripe
    for whose, ahead in differences.items():
        if abs(ahead) > _TOLERANCE:
            word = "ahead of" if ahead > timedelta() else "behind"
            yield Finding(
                f"The clock here is {abs(ahead).total_seconds():.0f} seconds {word} {whose}.",
                "Let every machine set its clock by NTP.",
            )


def secret(visit: Visit) -> Iterator[Finding]:
    if visit.endpoint is None:
        yield Finding(
            "No endpoint is stored here that is switched on, checks signatures and has its secret.",
            _PROVISION,
        )


def endpoint(visit: Visit) -> Iterator[Finding]:
    row = visit.endpoint
    if row is None:
        raise CannotTell("no endpoint is stored here")
    url = endpoints.address(row.djstripe_uuid)
    is_by_hand = row.id == endpoints.BY_HAND
    at_stripe = gateway.list_endpoints()
    found = next(
        (it for it in at_stripe if (it.url == url if is_by_hand else it.id == row.id)), None
    )
    if found is None and is_by_hand and not settings.STRIPE_LIVE_MODE:
        yield Finding(f"Stripe knows no endpoint with {url}: something else must post there.")
    elif found is None:
        remedy = f"At Stripe, make an endpoint with {url}." if is_by_hand else _PROVISION
        yield Finding("Stripe knows no endpoint of this shop, so it tells of no payment.", remedy)
    else:
        by_hand = f"At Stripe, set it so for {url}."
        remedy = by_hand if is_by_hand else _PROVISION
        yield from (Finding(what, remedy) for what in _amiss(found, url))


def heard(visit: Visit) -> Iterator[Finding]:
    row = visit.endpoint
    if row and endpoints.is_silent(row):
        yield Finding(
            "Stripe's latest events did not come by the webhook: the shop had to ask for them.",
            "Set STRIPE_WEBHOOK_SECRET to the endpoint's signing secret, as Stripe shows it."
            if row.id == endpoints.BY_HAND
            else "Run: manage.py provision_webhook --renew",
        )


def _amiss(found: gateway.Endpoint, url: str) -> Iterator[str]:
    if found.url != url:
        yield f"Stripe posts to {found.url}, not to {url}."
    if not found.is_enabled:
        yield "The endpoint is disabled at Stripe, so it tells of no payment."
    missing = set() if "*" in found.enabled_events else set(HANDLED) - set(found.enabled_events)
    if missing:
        yield f"Stripe does not tell of {', '.join(sorted(missing))}."
    if found.api_version != settings.STRIPE_API_VERSION:
        version = found.api_version or "the account's default"
        yield f"The endpoint's API version is {version}, not {settings.STRIPE_API_VERSION}."


def _mode(key: str, kinds: str) -> str | None:
    """Return `test` or `live`, as the key's prefix says; None when it is no key of these kinds."""
    found = re.fullmatch(rf"{kinds}_(test|live)_\w+", key)
    return found[1] if found else None
