"""The API called as its document allows, and as it does not: some of `make fuzz-api`."""

from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.tests.factories import UserFactory
from fuzz.runs import callers, run
from orders.models import Order
from shop.tests.factories import CategoryFactory, VariantFactory

# Measuring would double its time, and each line that it runs is a test's of its own too.
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("empty_queue"),
    pytest.mark.no_cover,
]
LEAST = 500
# None that an example of the document says: it would be changed by one.
PASSWORD = "a word that nobody has heard of"


def test_nothing_fails_and_nothing_is_answered_that_the_document_does_not_say(
    live_server: LiveServer, sandbox: Any, settings: Settings
) -> None:
    rates = dict.fromkeys(settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], "1000000/s")
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    settings.ACCOUNT_RATE_LIMITS = False
    settings.PENDING_LIMIT_PER_BUYER = settings.PENDING_LIMIT_PER_ADDRESS = 1_000
    for shelf in ("fiction", "science"):
        VariantFactory(product__category=CategoryFactory(slug=shelf), on_hand=1_000)
    boss = UserFactory(is_staff=True, is_superuser=True, password=PASSWORD)

    outcomes = {
        caller.name: run(
            live_server.url, caller, phases="examples,fuzzing,stateful", examples=2, seed=1
        )
        for caller in callers(live_server.url, boss.email, PASSWORD)
    }

    for name, outcome in outcomes.items():
        assert outcome.is_clean, f"as {name}:\n{outcome.report}"
    assert sum(outcome.cases for outcome in outcomes.values()) >= LEAST
    assert Order.objects.count() > 2
    call_command("audit")
