"""The webhook's endpoint at Stripe: made there, kept up to date, one whatever happens."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from djstripe.models import WebhookEndpoint
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from payments import gateway
from payments.models import InboxEvent
from payments.services.news import HANDLED
from payments.tests import support
from payments.tests.provisioning import at_stripe, provision, the_row, whole
from shop.tests.factories import VariantFactory
from shop.tests.waiting import wait_until

pytestmark = pytest.mark.django_db

PROJECT = Path(__file__).parents[2]
HERE = "http://testserver/stripe/webhook/"
COMMAND = [sys.executable, "manage.py", "provision_webhook"]


@pytest.fixture
def by_api(sandbox: Any, settings: Settings) -> Any:
    """Stripe, with no secret given: the command makes the endpoint there."""
    settings.STRIPE_WEBHOOK_SECRET = ""
    return sandbox


@pytest.fixture
def fresh_client() -> Iterator[None]:
    """Let the gateway take up a key that the test sets, and forget it afterwards."""
    gateway.client.cache_clear()
    yield
    gateway.client.cache_clear()


def test_the_endpoint_is_made_at_stripe_and_its_row_kept(by_api: Any) -> None:
    address, told = provision()

    row = the_row()
    (endpoint,) = at_stripe()
    assert address == endpoint["url"] == row.url == f"{HERE}{row.djstripe_uuid}/"
    assert endpoint["enabled_events"] == row.enabled_events == list(HANDLED)
    assert endpoint["api_version"] == row.api_version == settings.STRIPE_API_VERSION
    assert endpoint["metadata"] == {"app": "shop", "djstripe_uuid": str(row.djstripe_uuid)}
    assert (row.id, row.status, row.livemode) == (endpoint["id"], "enabled", False)
    assert re.fullmatch(r"whsec_\w{32}", row.secret)
    assert told.splitlines() == [
        "Mode:  test, by the prefix of STRIPE_SECRET_KEY.",
        "Found: no endpoint of this shop at Stripe.",
        f"Done:  made endpoint {row.id}, {len(HANDLED)} types of events; its secret",
        "       is in the database.",
        "Next:  nothing. Repeat this after an upgrade and after a change of SITE_URL.",
    ]


def test_repeating_changes_nothing(by_api: Any) -> None:
    provision()
    before = (whole(the_row()), at_stripe())

    _, told = provision()

    assert (whole(the_row()), at_stripe()) == before
    assert f"Found: endpoint {the_row().id}, as it should be.\nDone:  nothing.\n" in told


@pytest.mark.django_db(transaction=True)
def test_what_stripe_posts_there_is_signed_with_the_secret_kept(
    by_api: Any, live_server: LiveServer, settings: Settings
) -> None:
    settings.SITE_URL = live_server.url
    provision()
    attempt = support.checkout(support.cart_with(VariantFactory()))

    by_api.pay(attempt.url)
    by_api.post("deliveries/flush")

    tries = by_api.get("deliveries")["data"]
    assert {(entry["endpoint"], entry["status"]) for entry in tries} == {(the_row().id, 200)}
    assert sorted(row.type for row in InboxEvent.objects.all()) == [
        "checkout.session.completed",
        "payment_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"url": "http://testserver/elsewhere/"}, "url"),
        ({"enabled_events[0]": "charge.failed"}, "enabled_events"),
        ({"disabled": "true"}, "status"),
    ],
)
def test_what_was_changed_at_stripe_is_set_right(
    by_api: Any, wrong: dict[str, str], named: str
) -> None:
    provision()
    before = at_stripe()
    support.stripe_post(f"webhook_endpoints/{the_row().id}", **wrong)

    _, told = provision()

    assert at_stripe() == before
    assert f"Found: endpoint {the_row().id}, not as it should be.\nDone:  set {named}.\n" in told


def test_a_new_address_of_the_shop_is_told_to_stripe(by_api: Any, settings: Settings) -> None:
    provision()
    before = the_row()
    settings.SITE_URL = "https://new.example"

    address, told = provision()

    assert address == f"https://new.example/stripe/webhook/{before.djstripe_uuid}/"
    assert [(found["id"], found["url"]) for found in at_stripe()] == [(before.id, address)]
    assert (the_row().url, the_row().secret) == (address, before.secret)
    assert "Done:  set url.\n" in told


def test_a_row_that_was_changed_here_is_set_right(by_api: Any) -> None:
    provision()
    before = whole(the_row())
    WebhookEndpoint.objects.update(djstripe_validation_method="none", status="disabled")

    _, told = provision()

    ignored = {"djstripe_updated"}
    assert {name: value for name, value in whole(the_row()).items() if name not in ignored} == {
        name: value for name, value in before.items() if name not in ignored
    }
    assert "Done:  set djstripe_validation_method, status.\n" in told


def test_an_endpoint_deleted_at_stripe_is_made_anew(by_api: Any) -> None:
    provision()
    before = the_row()
    gateway.delete_endpoint(before.id)

    _, told = provision()

    assert [found["id"] for found in at_stripe()] == [the_row().id]
    assert the_row().secret != before.secret
    assert "not at Stripe: deleted there" in told


def test_a_lost_secret_is_said_and_the_endpoint_replaced(by_api: Any) -> None:
    provision()
    before = the_row()
    before.delete()

    _, told = provision()

    assert [found["id"] for found in at_stripe()] == [the_row().id]
    assert the_row().id != before.id
    assert "its secret is not known here" in told
    assert f"Done:  deleted the old endpoint {before.id} at Stripe.\n" in told


def test_another_api_version_needs_another_endpoint(by_api: Any) -> None:
    provision()
    before = the_row()
    gateway.delete_endpoint(before.id)
    made = support.stripe_post(
        "webhook_endpoints", **{"url": before.url, "enabled_events[0]": "charge.updated"}
    )
    WebhookEndpoint.objects.update(id=made["id"])

    _, told = provision()

    (endpoint,) = at_stripe()
    assert (endpoint["id"], endpoint["api_version"]) == (the_row().id, settings.STRIPE_API_VERSION)
    assert "another API version" in told


def test_the_secret_is_renewed_on_request(by_api: Any) -> None:
    provision()
    before = the_row()

    _, told = provision(renew=True)

    assert [found["id"] for found in at_stripe()] == [the_row().id]
    assert the_row().secret != before.secret
    assert f"Done:  deleted the old endpoint {before.id} at Stripe.\n" in told


def test_the_endpoints_of_other_sites_are_left_alone(by_api: Any) -> None:
    others = [
        support.stripe_post("webhook_endpoints", **{"url": url, "enabled_events[0]": "*"})["id"]
        for url in ("https://other.example/stripe/webhook/1/", "http://testserver/mine/")
    ]
    WebhookEndpoint.objects.create(
        id=others[0],
        enabled_events=["*"],
        livemode=False,
        status="enabled",
        url="https://o.example",
    )

    provision()
    provision()

    assert len(at_stripe()) == 3
    assert {found["id"] for found in at_stripe()} > set(others)
    assert WebhookEndpoint.objects.filter(id=others[0]).exists()


def test_an_endpoint_made_by_hand_is_taken_over(by_api: Any, settings: Settings) -> None:
    settings.STRIPE_WEBHOOK_SECRET = "whsec_hand"
    address, _ = provision()
    made = support.stripe_post("webhook_endpoints", **{"url": address, "enabled_events[0]": "*"})
    settings.STRIPE_WEBHOOK_SECRET = ""

    new_address, _ = provision()

    assert new_address != address
    assert [found["id"] for found in at_stripe()] == [the_row().id]
    assert the_row().id not in (made["id"], "we_shop")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "forbidden"}, "The key in STRIPE_SECRET_KEY is restricted"),
        ({"kind": "rate_limit"}, "Stripe is busy."),
        ({"kind": "refuse", "times": None}, "Stripe did not answer."),
        ({"kind": "error_before", "times": None}, "Stripe did not answer."),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_failed_call_is_said_in_plain_words_and_leaves_nothing(
    by_api: Any, fault: dict[str, Any], words: str, method: str
) -> None:
    by_api.fault(path="/v1/webhook_endpoints", method=method, **fault)

    with pytest.raises(CommandError, match=f"^{words}") as failure:
        provision()

    assert failure.value.returncode == 1
    assert (at_stripe_after(by_api), WebhookEndpoint.objects.count()) == ([], 0)
    provision()
    assert [found["id"] for found in at_stripe()] == [the_row().id]


def at_stripe_after(by_api: Any) -> list[dict[str, Any]]:
    by_api.clear_faults()
    return at_stripe()


def test_a_wrong_key_is_said_and_never_shown(
    by_api: Any, settings: Settings, fresh_client: None
) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_" + "wrong" * 5

    with pytest.raises(CommandError, match=r"^Stripe refuses the key") as failure:
        provision()

    assert "wrongwrong" not in str(failure.value)
    assert not WebhookEndpoint.objects.exists()


def test_what_stripe_refuses_is_told_in_its_own_words(by_api: Any) -> None:
    for _ in range(16):
        support.stripe_post(
            "webhook_endpoints", **{"url": "https://o.example/", "enabled_events[0]": "*"}
        )

    with pytest.raises(CommandError, match=r"^Stripe refused: .*maximum of 16"):
        provision()

    assert not WebhookEndpoint.objects.exists()


def test_a_lost_answer_is_asked_for_again_under_the_same_key(by_api: Any) -> None:
    by_api.fault(kind="drop_answer", path="/v1/webhook_endpoints", method="POST")

    provision()

    assert [found["id"] for found in at_stripe()] == [the_row().id]


def test_an_old_endpoint_that_stays_is_said_and_deleted_by_the_next_run(by_api: Any) -> None:
    provision()
    before = the_row()
    by_api.fault(kind="error_before", path="/v1/webhook_endpoints", method="DELETE")

    with pytest.raises(CommandError, match=f"old one, {before.id}, could not be deleted"):
        provision(renew=True)
    assert (WebhookEndpoint.objects.count(), len(at_stripe())) == (2, 2)
    _, told = provision()

    assert f"Done:  deleted the old endpoint {before.id} at Stripe.\n" in told
    assert [found["id"] for found in at_stripe()] == [the_row().id]


def test_a_copy_of_all_endpoints_by_dj_stripe_keeps_address_and_secret(by_api: Any) -> None:
    provision()
    before = the_row()

    call_command("djstripe_sync_models", "WebhookEndpoint", stdout=StringIO())

    after = the_row()
    assert (after.id, after.djstripe_uuid, after.secret, after.url) == (
        before.id,
        before.djstripe_uuid,
        before.secret,
        before.url,
    )
    assert "as it should be" in provision()[1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("fault_point", "rows_left", "words"),
    [
        ("endpoints:after-stripe", 0, "its secret is not known here"),
        ("endpoints:before-delete", 1, "as it should be"),
    ],
)
def test_a_run_that_was_killed_is_mended_by_the_next(
    by_api: Any,
    process_environment: Mapping[str, str],
    fault_point: str,
    rows_left: int,
    words: str,
) -> None:
    environment = dict(process_environment) | {"STRIPE_WEBHOOK_SECRET": ""}

    killed = subprocess.run(
        COMMAND, cwd=PROJECT, env=environment | {"FAULT_POINT": fault_point}, check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert (len(at_stripe()), WebhookEndpoint.objects.count()) == (1, rows_left)
    _, told = provision()
    assert words in told
    assert [found["id"] for found in at_stripe()] == [the_row().id]


@pytest.mark.django_db(transaction=True)
def test_of_two_runs_at_once_one_works_and_the_other_says_so(
    by_api: Any, process_environment: Mapping[str, str]
) -> None:
    environment = dict(process_environment) | {"STRIPE_WEBHOOK_SECRET": ""}
    by_api.fault(kind="slow", seconds=3, path="/v1/webhook_endpoints", method="POST")

    with subprocess.Popen(
        COMMAND, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as first:
        # Used up, once the first run has called Stripe.
        wait_until(lambda: not by_api.get("faults")["data"])
        with pytest.raises(CommandError, match=r"^Another provision_webhook is at work\."):
            provision()
        out, err = first.communicate(timeout=30)

    assert (first.returncode, out.decode()) == (0, f"{the_row().url}\n"), err.decode()
    assert [found["id"] for found in at_stripe()] == [the_row().id]
    assert the_row().secret not in out.decode() + err.decode()


def test_the_manual_names_the_events_that_are_asked_for() -> None:
    manual = (PROJECT / "docs/running.md").read_text()
    section = manual.split("## The webhook at Stripe\n")[1].split("\n## ")[0]

    assert sorted(re.findall(r"`((?:\w+\.)+\w+)`", section)) == sorted(HANDLED)
    assert settings.STRIPE_API_VERSION in section
