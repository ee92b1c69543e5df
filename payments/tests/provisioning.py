"""What tests of the webhook's endpoint share: the command, and what it leaves on both sides."""

from io import StringIO
from typing import Any

from django.core.management import call_command
from djstripe.models import WebhookEndpoint

from payments.tests import support


def provision(**options: Any) -> tuple[str, str]:
    """Run the command; returns the address on stdout and what it tells on stderr."""
    out, err = StringIO(), StringIO()
    call_command("provision_webhook", stdout=out, stderr=err, **options)
    secrets = WebhookEndpoint.objects.exclude(secret="").values_list("secret", flat=True)
    assert not any(secret in out.getvalue() + err.getvalue() for secret in secrets)
    return out.getvalue().rstrip("\n"), err.getvalue()


def at_stripe() -> list[dict[str, Any]]:
    """Return Stripe's endpoints, newest first."""
    found: list[dict[str, Any]] = support.stripe_get("webhook_endpoints?limit=100")["data"]
    return found


def the_row() -> WebhookEndpoint:
    return WebhookEndpoint.objects.get()


def whole(row: WebhookEndpoint) -> dict[str, Any]:
    return dict(WebhookEndpoint.objects.filter(pk=row.pk).values().get())
