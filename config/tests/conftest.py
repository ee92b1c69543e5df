"""The live shop that the doctor's tests examine."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from io import StringIO
from pathlib import Path

import pytest
import trustme
from django.core.management import call_command
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from config.tests.front import MailServer, Proxy, serving
from config.tests.live import Scene, execute, fit_for_buyers
from conftest import Sandbox
from payments import gateway


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
    empty_queue: None,
) -> Iterator[Scene]:
    """All is well."""
    certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(certificate)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    mail, proxy = MailServer(), Proxy("", certificate)
    fit_for_buyers(settings, monkeypatch, site_url=proxy.url)
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
