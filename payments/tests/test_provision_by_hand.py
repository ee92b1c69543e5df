"""The webhook's endpoint where Stripe cannot make it: by its CLI, or by hand with its secret."""

import pytest
from django.core.management import CommandError
from djstripe.models import WebhookEndpoint
from pytest_django import Settings

from payments.services import endpoints
from payments.services.news import HANDLED
from payments.tests.provisioning import provision, the_row, whole

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "site",
    [
        "http://shop.example",
        "https://localhost",
        "https://shop.localhost",
        "https://127.0.0.1:8000",
        "https://192.168.1.2",
        "https://[::1]",
        "https://shop",
    ],
)
def test_a_site_out_of_stripes_reach_is_led_to_the_cli(settings: Settings, site: str) -> None:
    settings.STRIPE_WEBHOOK_SECRET = ""
    del settings.STRIPE_API_HOST
    settings.SITE_URL = site

    with pytest.raises(CommandError) as failure:
        provision()

    assert str(failure.value).splitlines() == [
        f"Stripe cannot post to {site}: SITE_URL must be an https address on the internet.",
        "On your own machine let Stripe CLI carry the events:",
        "",
        "  STRIPE_WEBHOOK_SECRET=$(stripe listen --print-secret) manage.py provision_webhook",
    ]
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize("site", ["https://shop.example", "https://8.8.8.8"])
def test_a_public_site_is_within_reach(settings: Settings, site: str) -> None:
    settings.SITE_URL = site

    assert endpoints.is_reachable_by_stripe()


def test_stripe_cli_gets_its_command_word_for_word(settings: Settings) -> None:
    del settings.STRIPE_API_HOST
    settings.STRIPE_WEBHOOK_SECRET = "whsec_of_the_cli"

    address, told = provision()

    assert (the_row().secret, the_row().url) == ("whsec_of_the_cli", address)
    assert f"\n  stripe listen --events {','.join(HANDLED)} --forward-to {address}\n" in told
    assert settings.STRIPE_API_VERSION in told
    assert "made by hand" not in told


def test_a_public_site_with_a_secret_is_told_of_both_ways(settings: Settings) -> None:
    del settings.STRIPE_API_HOST
    settings.SITE_URL = "https://shop.example"

    _, told = provision()

    assert "Or an endpoint made by hand" in told
    assert "take STRIPE_WEBHOOK_SECRET" in told


def test_a_secret_given_keeps_the_address_and_takes_its_next_value(
    settings: Settings,
) -> None:
    first = provision()
    before = whole(the_row())
    again = provision()
    unchanged = whole(the_row())

    settings.STRIPE_WEBHOOK_SECRET = "whsec_new"
    address, told = provision()

    assert first[0] == again[0] == address
    assert unchanged == before
    assert "Done:  nothing; the address below has this secret already.\n" in again[1]
    assert "Done:  set secret of the address below.\n" in told
    assert the_row().secret == "whsec_new"


def test_a_secret_given_cannot_be_renewed() -> None:
    with pytest.raises(CommandError, match=r"^--renew is for"):
        provision(renew=True)
