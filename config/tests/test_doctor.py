"""`manage.py doctor`: a shop that is all set, and then one fault at a time, each named alone."""

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import trustme
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from djstripe.models import WebhookEndpoint
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from config.tests.front import MailServer, Proxy, serving
from config.tests.test_checks import settings_of
from config.tests.test_health import without_database
from conftest import Sandbox
from payments import gateway
from payments.models import InboxEvent, PaymentAttempt
from payments.queue import enqueue
from payments.services.news import HANDLED
from payments.tests import support
from shop.tests.factories import VariantFactory

# Threads of a live server, a proxy and a worker work on what is committed.
pytestmark = pytest.mark.django_db(transaction=True)

# What settings.py makes of an environment that is fit for real buyers, beside SITE_URL.
OF_PRODUCTION = (
    "ALLOWED_HOSTS",
    "CART_COOKIE_NAME",
    "CSRF_COOKIE_NAME",
    "CSRF_COOKIE_SECURE",
    "SECURE_HSTS_INCLUDE_SUBDOMAINS",
    "SECURE_HSTS_PRELOAD",
    "SECURE_HSTS_SECONDS",
    "SECURE_PROXY_SSL_HEADER",
    "SECURE_SSL_REDIRECT",
    "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_SECURE",
    "SITE_URL",
    "TESTING",
    "TRUSTED_PROXY_COUNT",
)


@dataclass
class Scene:
    """A live shop with all that is around it, for a fault to be planted in."""

    settings: Settings
    sandbox: Sandbox
    proxy: Proxy
    mail: MailServer
    monkeypatch: pytest.MonkeyPatch
    at_end: Callable[[Callable[[], object]], object]

    @property
    def endpoint(self) -> str:
        """Stripe's path to the endpoint."""
        return f"webhook_endpoints/{WebhookEndpoint.objects.get().id}"


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def scene(
    authority: trustme.CA,
    sandbox: Sandbox,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Scene]:
    """All is well."""
    empty_queue()
    certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(certificate)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    mail, proxy = MailServer(), Proxy("", certificate)
    with monkeypatch.context() as patch:
        made = settings_of(patch, SITE_URL=proxy.url)
    for name in OF_PRODUCTION:
        setattr(settings, name, getattr(made, name))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail.server_address[1]
    settings.STRIPE_WEBHOOK_SECRET = ""
    gateway.client.cache_clear()
    with ExitStack() as stack:
        # Not the fixture: it would start before the settings are as they should be.
        shop = LiveServer("127.0.0.1")
        stack.callback(shop.stop)
        proxy.shop = shop.url
        stack.enter_context(serving(proxy))
        stack.enter_context(serving(mail))
        call_command("provision_webhook", stdout=StringIO(), stderr=StringIO())
        execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
        yield Scene(settings, sandbox, proxy, mail, monkeypatch, stack.callback)
    gateway.client.cache_clear()
    empty_queue()


def empty_queue() -> None:
    # Its tables are not Django's, which empties only its own between tests.
    execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@contextmanager
def working() -> Iterator[None]:
    """Run jobs as they come."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.wait(0.02):
            support.run_jobs()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


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
    assert findings(told, "note") == {}
    assert len(findings(told, "ok")) == len(told["checks"]) == 21
    notes = [it["what"] for found in findings(told, "ok").values() for it in found]
    assert notes == [
        "(shop.W003) STRIPE_API_HOST is set: payments go to the sandbox, not to Stripe.",
        "The keys are of test mode: nobody's money is taken.",
        "Whether both keys are of one account shows once somebody has paid.",
    ]
    # The event of the round trip leaves no trace.
    assert not InboxEvent.objects.exists()


@dataclass(frozen=True)
class Fault:
    """What is done, and what the check then says: `what` is a regular expression."""

    check: str
    plant: Callable[[Scene], object]
    what: str
    remedy: str


PROVISION = "Run: manage.py provision_webhook"
SEE_STATUS = "See status.stripe.com and the log, then run this again."
REACH = "Check name, certificate and proxy; from this machine, too, the public address must work."
PASS_ON = "Let the proxy pass the address, its slash and the body on unchanged, to this shop."
FAULTS = {
    "debug": Fault(
        "deployment",
        lambda scene: setattr(scene.settings, "DEBUG", True),
        r"\(security\.W018\) You should not have DEBUG set to True in deployment\.",
        "Set it as the message says, then restart.",
    ),
    "mail to nobody": Fault(
        "deployment",
        lambda scene: setattr(
            scene.settings, "EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend"
        ),
        r"\(shop\.W002\) Mail is not sent to anybody\.",
        "Set EMAIL_URL, such as smtp+tls://user:password@host:587.",
    ),
    "no address of staff": Fault(
        "deployment",
        lambda scene: setattr(scene.settings, "STAFF_EMAIL", ""),
        r"\(shop\.W004\) STAFF_EMAIL is empty: .*",
        "Set an address that is read daily: a dispute not answered in time is lost.",
    ),
    "tests' settings": Fault(
        "deployment",
        lambda scene: setattr(scene.settings, "TESTING", True),
        r"\(shop\.E003\) TESTING is on\.",
        "It is for the project's own tests. Take it out of the environment.",
    ),
    "migration missing": Fault(
        "migrations",
        lambda scene: forget_a_migration(scene),
        r"The database lacks migrations: payments\.\d{4}_\w+\.",
        "Run: manage.py migrate",
    ),
    "cache away": Fault(
        "cache",
        lambda scene: setattr(scene.settings, "CACHES", REDIS_AWAY),
        r"The cache does not keep what is stored in it\.",
        "Check REDIS_URL and the server there; without it run: manage.py createcachetable",
    ),
    "mail server away": Fault(
        "mail",
        lambda scene: setattr(scene.settings, "EMAIL_PORT", 1),
        r"Mail does not leave: ConnectionRefusedError: .*",
        "Check host, port, user and password in EMAIL_URL, and that a firewall lets it pass.",
    ),
    "mail server unwilling": Fault(
        "mail",
        lambda scene: setattr(scene.mail, "greeting", b"421 full"),
        r"Mail does not leave: SMTPConnectError: .*full.*",
        "Check host, port, user and password in EMAIL_URL, and that a firewall lets it pass.",
    ),
    "no worker": Fault(
        "worker",
        lambda scene: execute("DELETE FROM procrastinate_workers"),
        r"No worker gave a sign of life within 30 seconds\.",
        "Start one, and have it started again when it ends: manage.py worker",
    ),
    "queue old": Fault(
        "queue",
        lambda scene: let_a_job_wait(),
        r"A job in the queue mirror has waited for 120 minutes\.",
        "Look at Jobs in the admin and at the worker's log, or start more workers.",
    ),
    "no secret key": Fault(
        "secret_key",
        lambda scene: setattr(
            scene.settings, "STRIPE_SECRET_KEY", scene.settings.STRIPE_PUBLISHABLE_KEY
        ),
        r"STRIPE_SECRET_KEY is no secret key of Stripe's\.",
        "Set it to the one that begins with sk_ or rk_, from Stripe's dashboard, API keys.",
    ),
    "live flag with a test key": Fault(
        "secret_key",
        lambda scene: setattr(scene.settings, "STRIPE_LIVE_MODE", True),
        r"STRIPE_LIVE_MODE is True, and STRIPE_SECRET_KEY a test key\.",
        "Leave STRIPE_LIVE_MODE to config/settings.py, which reads it off the key.",
    ),
    "sandbox with a live key": Fault(
        "secret_key",
        lambda scene: go_live(scene),
        r"STRIPE_API_HOST names a sandbox, and STRIPE_SECRET_KEY is a live key\.",
        "Take STRIPE_API_HOST out of the environment.",
    ),
    "publishable key of live mode": Fault(
        "publishable_key",
        lambda scene: setattr(scene.settings, "STRIPE_PUBLISHABLE_KEY", "pk_live_" + "a" * 24),
        r"STRIPE_PUBLISHABLE_KEY is no publishable test key, as STRIPE_SECRET_KEY asks for\.",
        "Set it to the one that begins with pk_test_, of the same account.",
    ),
    "publishable key rolled": Fault(
        "same_account",
        lambda scene: setattr(scene.settings, "STRIPE_PUBLISHABLE_KEY", "pk_test_" + "a" * 24),
        r"Stripe refuses STRIPE_PUBLISHABLE_KEY\.",
        "Set it to the one beside the secret key, in Stripe's dashboard, API keys.",
    ),
    "secret key rolled": Fault(
        "stripe",
        lambda scene: roll_secret_key(scene),
        r"Stripe refuses STRIPE_SECRET_KEY\.",
        "Set it to a key that is not expired or rolled, from Stripe's dashboard, API keys.",
    ),
    "stripe away": Fault(
        "stripe",
        lambda scene: scene.sandbox.fault(kind="refuse", path="/v1/", times=None),
        r"Stripe cannot be asked \(Unreachable\)\.",
        "See status.stripe.com, and that this machine may open connections to api.stripe.com.",
    ),
    "stripe failing later": Fault(
        "endpoint",
        lambda scene: scene.sandbox.fault(kind="error_before", path="/v1/webhook_endpoints"),
        r"Stripe did not answer as it should \(Unreachable\)\.",
        SEE_STATUS,
    ),
    "account not ready": Fault(
        "account",
        lambda scene: scene.sandbox.post("account", charges_enabled=False),
        r"Stripe does not let the account take payments yet\.",
        "Answer what Stripe still asks for, in its dashboard under Settings, Business.",
    ),
    "currency not taken": Fault(
        "currency",
        lambda scene: scene.sandbox.post("account", currencies=["usd"]),
        r"Stripe takes no EUR for an account in IE\.",
        "Set SHOP_CURRENCY to one that it takes: docs.stripe.com/currencies",
    ),
    "method not active": Fault(
        "methods",
        lambda scene: scene.sandbox.post(
            "account",
            capabilities={"card_payments": "active", "sepa_debit_payments": "inactive"},
        ),
        r"The account does not take sepa_debit, which PAYMENT_METHODS has: it is inactive\.",
        "Switch it on in Stripe's dashboard under Settings, Payment methods, or leave it out of "
        "PAYMENT_METHODS.",
    ),
    "clock ahead": Fault(
        "clock",
        lambda scene: Path(scene.settings.CLOCK_OFFSET_FILE).write_text("600"),
        r"The clock here is (599|60[0-2]) seconds ahead of (PostgreSQL|Stripe)'s\.",
        "Let every machine set its clock by NTP.",
    ),
    "secret lost": Fault(
        "secret",
        lambda scene: WebhookEndpoint.objects.update(secret=""),
        r"No endpoint is stored here that is switched on, checks signatures and has its secret\.",
        PROVISION,
    ),
    "signatures unchecked": Fault(
        "secret",
        lambda scene: WebhookEndpoint.objects.update(djstripe_validation_method="none"),
        r"No endpoint is stored here that is switched on, checks signatures and has its secret\.",
        PROVISION,
    ),
    "another secret in the environment": Fault(
        "secret",
        lambda scene: setattr(scene.settings, "STRIPE_WEBHOOK_SECRET", "whsec_" + "b" * 32),
        r"No endpoint is stored here that is switched on, checks signatures and has its secret\.",
        PROVISION,
    ),
    "endpoint gone": Fault(
        "endpoint",
        lambda scene: gateway.delete_endpoint(WebhookEndpoint.objects.get().id),
        r"Stripe knows no endpoint of this shop, so it tells of no payment\.",
        PROVISION,
    ),
    "endpoint elsewhere": Fault(
        "endpoint",
        lambda scene: support.stripe_post(scene.endpoint, url="https://old.example/"),
        r"Stripe posts to https://old\.example/, not to https://localhost:\d+/stripe/webhook/.+/\.",
        PROVISION,
    ),
    "endpoint disabled": Fault(
        "endpoint",
        lambda scene: support.stripe_post(scene.endpoint, disabled="true"),
        r"The endpoint is disabled at Stripe, so it tells of no payment\.",
        PROVISION,
    ),
    "events missing": Fault(
        "endpoint",
        lambda scene: support.stripe_post(
            scene.endpoint, **{f"enabled_events[{i}]": name for i, name in enumerate(HANDLED[2:])}
        ),
        r"Stripe does not tell of "
        r"checkout\.session\.async_payment_succeeded, checkout\.session\.completed\.",
        PROVISION,
    ),
    "other API version": Fault(
        "endpoint",
        lambda scene: setattr(scene.settings, "STRIPE_API_VERSION", "2027-01-01.elm"),
        r"The endpoint's API version is 2026-05-27\.dahlia, not 2027-01-01\.elm\.",
        PROVISION,
    ),
    "certificate not valid": Fault(
        "site",
        lambda scene: scene.monkeypatch.delenv("REQUESTS_CA_BUNDLE"),
        r"The certificate of https://localhost:\d+ is not valid\.",
        "Have the proxy get one that browsers trust, for this name, and renew it in time.",
    ),
    "proxy away": Fault(
        "site",
        lambda scene: scene.proxy.server_close(),
        r"https://localhost:\d+/ cannot be reached \(ConnectionError\)\.",
        REACH,
    ),
    "proxy does not tell of HTTPS": Fault(
        "site",
        lambda scene: setattr(scene.proxy, "tells_scheme", False),
        r"https://localhost:\d+/ redirects to itself: the shop does not know that HTTPS was "
        r"spoken\.",
        "Set TRUSTED_PROXY_COUNT to the number of your proxies, and let the first one set "
        "X-Forwarded-Proto.",
    ),
    "proxy without a shop": Fault(
        "site",
        lambda scene: setattr(scene.proxy, "answers", 502),
        r"https://localhost:\d+/ answers 502\.",
        "See the log of the web process, and whether the proxy leads to it with its Host.",
    ),
    "webhook redirected": Fault(
        "arrival",
        lambda scene: setattr(scene.proxy, "redirects_posts", True),
        r"The webhook answers a signed event with 301\.",
        PASS_ON,
    ),
    "body changed on its way": Fault(
        "arrival",
        lambda scene: setattr(scene.proxy, "adds_to_bodies", b" "),
        r"The webhook answers a signed event with 400 signature\.",
        PASS_ON,
    ),
    "another shop answers": Fault(
        "arrival",
        lambda scene: setattr(scene.proxy, "answers", 200),
        r"The webhook took a signed event, and it is not in this inbox\.",
        "Restart the web processes, so that they have this database and this key.",
    ),
}
REDIS_AWAY = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
        "OPTIONS": {"IGNORE_EXCEPTIONS": True, "SOCKET_CONNECT_TIMEOUT": 1},
    }
}


def forget_a_migration(scene: Scene) -> None:
    name = MigrationLoader(connection).graph.leaf_nodes("payments")[0][1]
    applied = MigrationRecorder.Migration.objects.filter(app="payments", name=name)
    row = applied.get()
    applied.delete()
    scene.at_end(row.save)


def let_a_job_wait() -> None:
    enqueue("mirror_event", inbox_id=1)
    execute("UPDATE procrastinate_events SET at = now() - interval '2 hours'")


def roll_secret_key(scene: Scene) -> None:
    scene.settings.STRIPE_SECRET_KEY = "sk_test_" + "rolled00" * 3
    gateway.client.cache_clear()


def go_live(scene: Scene) -> None:
    scene.settings.STRIPE_SECRET_KEY = "sk_live_" + "a" * 24
    scene.settings.STRIPE_LIVE_MODE = True


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
    with monkeypatch.context() as patch:
        made = settings_of(patch, SITE_URL=plain.url)
    for name in OF_PRODUCTION:
        setattr(scene.settings, name, getattr(made, name))
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

    assert status == 0
    assert findings(told, "note") == {
        name: [
            {
                "what": "Cannot be told: STRIPE_SECRET_KEY is restricted and may not read the "
                "account.",
                "remedy": "",
            }
        ]
        for name in ("account", "currency", "methods")
    }


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
    assert len(progress.getvalue().splitlines()) == 21
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d 1/21 SITE_URL is an https:// address \.\.\.",
        progress.getvalue().splitlines()[0],
    )
