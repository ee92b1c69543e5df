"""`manage.py doctor`: a shop that is all set, and then one fault at a time, each named alone."""

import json
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
from djstripe.models import WebhookEndpoint
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from config.tests.front import MailServer, Proxy, serving
from config.tests.test_checks import settings_of
from conftest import Sandbox
from payments import gateway
from payments.models import InboxEvent
from payments.queue import enqueue
from payments.services.news import HANDLED
from payments.tests import support
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db(transaction=True)

# What settings.py makes of an environment that is fit for real buyers, beside SITE_URL.
_OF_PRODUCTION = (
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
    _empty_queue()
    certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(certificate)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    mail, proxy = MailServer(), Proxy("", certificate)
    with monkeypatch.context() as patch:
        made = settings_of(patch, SITE_URL=proxy.url)
    for name in _OF_PRODUCTION:
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
        _execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
        yield Scene(settings, sandbox, proxy, mail)
    gateway.client.cache_clear()
    _empty_queue()


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _empty_queue() -> None:
    # Its tables are not Django's, which empties only its own between tests.
    _execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


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
