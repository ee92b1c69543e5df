"""`manage.py provision_webhook`: tell dj-stripe of the endpoint that Stripe posts to."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction
from django.urls import reverse
from djstripe.enums import WebhookEndpointStatus, WebhookEndpointValidation
from djstripe.models import WebhookEndpoint

_ID = "we_shop"


class Command(BaseCommand):
    help = (
        "Create or refresh the webhook endpoint with STRIPE_WEBHOOK_SECRET and print its address, "
        "to be entered at Stripe (the sandbox gets it from `make demo`). Safe to repeat."
    )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        endpoint, _is_new = WebhookEndpoint.objects.update_or_create(
            id=_ID,
            defaults={
                "secret": settings.STRIPE_WEBHOOK_SECRET,
                "livemode": settings.STRIPE_LIVE_MODE,
                "api_version": settings.STRIPE_API_VERSION,
                "status": WebhookEndpointStatus.enabled,
                "djstripe_validation_method": WebhookEndpointValidation.verify_signature,
                "enabled_events": ["*"],
            },
        )
        # Its own uuid is part of the address, so it is known only now.
        path = reverse("djstripe:djstripe_webhook_by_uuid", args=[endpoint.djstripe_uuid])
        endpoint.url = settings.SITE_URL + path
        endpoint.save()
        self.stdout.write(endpoint.url)
