"""`manage.py doctor`: a shop that is all set, and then one fault at a time, each named alone."""

import json
import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from config.tests.doctor_faults import FAULTS, Fault
from config.tests.front import Proxy, serving
from config.tests.live import Scene, execute, fit_for_buyers, without_database, working
from payments.models import InboxEvent, PaymentAttempt
from payments.tests import support
from shop.tests.factories import VariantFactory

# Threads of a live server, a proxy and a worker work on what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


def examined(**options: Any) -> tuple[int, dict[str, Any]]:
    """Return the command's exit status and its JSON, a worker at hand."""
    out = StringIO()
    status = 0
    with working():
        try:
            call_command("doctor", as_json=True, stdout=out, stderr=StringIO(), **options)
        except SystemExit as end:
            status = int(end.code or 0)
    return status, json.loads(out.getvalue())


def findings(told: dict[str, Any], verdict: str) -> dict[str, list[dict[str, str]]]:
    return {
        check["name"]: check["findings"] for check in told["checks"] if check["verdict"] == verdict
    }


def test_a_shop_that_is_all_set_is_told_so(scene: Scene) -> None:
    status, told = examined()

    assert (status, told["ok"], findings(told, "WRONG")) == (0, True, {})
    assert findings(told, "note") == {
        "same_account": [{"what": "Cannot be told: it shows once somebody has paid.", "remedy": ""}]
    }
    assert len(findings(told, "ok")) == 21
    notes = [it["what"] for found in findings(told, "ok").values() for it in found]
    assert notes == [
        "(shop.W003) STRIPE_API_HOST is set: payments go to the sandbox, not to Stripe.",
        "The keys are of test mode: nobody's money is taken.",
    ]
    # The event of the round trip leaves no trace.
    assert not InboxEvent.objects.exists()


@pytest.mark.parametrize("planted", FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_named_with_its_remedy_and_nothing_else_is(scene: Scene, planted: Fault) -> None:
    planted.plant(scene)

    status, told = examined()

    wrong = findings(told, "WRONG")
    assert (status, told["ok"], list(wrong)) == (1, False, [planted.check])
    faults = [finding for finding in wrong[planted.check] if finding["remedy"]]
    assert faults
    for found in faults:
        assert re.fullmatch(planted.what, found["what"])
        assert found["remedy"] == planted.remedy


def test_http_is_one_fault_however_many_settings_follow_from_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Proxy(scene.proxy.shop, certificate=None)
    fit_for_buyers(scene.settings, monkeypatch, site_url=plain.url)
    call_command("provision_webhook", stdout=StringIO(), stderr=StringIO())

    with serving(plain):
        status, told = examined()

    assert status == 1
    assert findings(told, "WRONG") == {
        "https": [
            {
                "what": f"SITE_URL is {plain.url}, so sign-ins, addresses and links travel in "
                "clear.",
                "remedy": "Get a certificate, let a proxy speak HTTPS, and set SITE_URL to the "
                "https:// address.",
            }
        ]
    }


def test_without_a_database_only_that_is_named(scene: Scene) -> None:
    with without_database():
        status, told = examined()

    assert status == 1
    assert findings(told, "WRONG") == {
        "database": [
            {
                "what": "PostgreSQL does not answer (OperationalError).",
                "remedy": "Check DATABASE_URL, and that the server runs and lets this machine in.",
            }
        ]
    }


def test_an_event_that_no_worker_takes_up_is_left_by_its_name(scene: Scene) -> None:
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", as_json=True, seconds=0.1, stdout=out, stderr=StringIO())

    event = InboxEvent.objects.get()
    assert findings(json.loads(out.getvalue()), "WRONG") == {
        "processing": [
            {
                "what": f"No worker took up {event.event_id} within 0 seconds.",
                "remedy": "Let a worker serve the queue webhooks, with this database: "
                "manage.py worker",
            }
        ]
    }
    assert (event.type, event.event_id[:11]) == ("shop.doctor", "evt_doctor_")
    support.run_jobs()
    event.refresh_from_db()
    assert event.state == InboxEvent.State.IGNORED


def test_a_payment_tells_whether_both_keys_are_of_one_account(scene: Scene) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    scene.sandbox.pay(attempt.url)
    PaymentAttempt.objects.update(
        intent_id=support.stripe_get(f"checkout/sessions/{attempt.session_id}")["payment_intent"]
    )
    _, same = examined()
    scene.settings.STRIPE_PUBLISHABLE_KEY = "pk_test_" + "elsewhere" * 3
    scene.sandbox.post("account", foreign_key=scene.settings.STRIPE_PUBLISHABLE_KEY)

    _, other = examined()

    assert findings(same, "ok")["same_account"] == []
    assert findings(other, "WRONG") == {
        "same_account": [
            {
                "what": "STRIPE_PUBLISHABLE_KEY is of another account than STRIPE_SECRET_KEY.",
                "remedy": "Take both keys from the same account and the same page of Stripe's "
                "dashboard.",
            }
        ]
    }


def test_a_restricted_key_is_no_fault_and_what_it_may_not_read_is_said(scene: Scene) -> None:
    scene.sandbox.fault(kind="forbidden", path="/v1/account", times=None)

    status, told = examined()

    notes = findings(told, "note")
    assert status == 0
    assert list(notes) == ["same_account", "account", "currency", "methods"]
    for name in ("account", "currency", "methods"):
        assert notes[name] == [
            {
                "what": "Cannot be told: STRIPE_SECRET_KEY is restricted and may not read the "
                "account.",
                "remedy": "",
            }
        ]


def test_a_publishable_key_may_be_missing(scene: Scene) -> None:
    scene.settings.STRIPE_PUBLISHABLE_KEY = ""

    status, told = examined()

    assert status == 0
    assert findings(told, "note") == {
        "same_account": [{"what": "Cannot be told: STRIPE_PUBLISHABLE_KEY is empty.", "remedy": ""}]
    }
    assert findings(told, "ok")["publishable_key"] == [
        {
            "what": "STRIPE_PUBLISHABLE_KEY is empty: only apps that pay by themselves need it.",
            "remedy": "",
        }
    ]


def test_what_stands_on_a_fault_is_not_checked_and_says_so(scene: Scene) -> None:
    scene.sandbox.fault(kind="refuse", path="/v1/", times=None)

    _, told = examined()

    assert findings(told, "note") == {
        name: [{"what": "Not checked: first see to stripe.", "remedy": ""}]
        for name in ("same_account", "account", "currency", "methods", "clock", "endpoint")
    }


def test_a_mail_is_sent_on_request(scene: Scene) -> None:
    _, told = examined(mail="you@example.com")

    assert findings(told, "ok")["mail"] == [
        {"what": "A mail was sent to you@example.com: see whether it arrived.", "remedy": ""}
    ]
    (mail,) = scene.mail.received
    assert "To: you@example.com\r\n" in mail
    assert "The shop can send mail: its doctor has written this." in mail


def test_it_tells_in_lines_and_how_far_it_is(scene: Scene) -> None:
    execute("DELETE FROM procrastinate_workers")
    out, progress = StringIO(), StringIO()

    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", stdout=out, stderr=progress)

    told = out.getvalue().splitlines()
    assert told[0] == "ok    https: SITE_URL is an https:// address"
    assert "WRONG worker: No worker gave a sign of life within 30 seconds." in told
    assert told[told.index("ok    queue: no job has waited too long") - 1] == (
        "      Start one, and have it started again when it ends: manage.py worker"
    )
    assert "note  secret_key: The keys are of test mode: nobody's money is taken." in told
    assert told[-1] == "1 of the checks found a fault."
    assert len(progress.getvalue().splitlines()) == 22
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d 1/22 SITE_URL is an https:// address \.\.\.",
        progress.getvalue().splitlines()[0],
    )
