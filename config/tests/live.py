"""A shop that is live in every respect: behind HTTPS, with mail, its endpoint and a worker."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.db import connection, connections
from djstripe.models import WebhookEndpoint
from pytest_django import Settings

from config.tests.environments import settings_of
from config.tests.front import MailServer, Proxy
from conftest import Sandbox
from payments.tests import support

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
    "STAFF_SECOND_FACTOR",
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


def execute(sql: str, *values: str | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


@contextmanager
def without_database() -> Iterator[None]:
    gone = connections["default"]
    gone.close()
    gone.close_pool()  # type: ignore[attr-defined]
    good = gone.settings_dict
    gone.settings_dict = good | {"OPTIONS": {"connect_timeout": 1}, "HOST": "/nonexistent"}
    try:
        yield
    finally:
        gone.settings_dict = good
        gone.close()


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


def fit_for_buyers(settings: Settings, monkeypatch: pytest.MonkeyPatch, *, site_url: str) -> None:
    """Set what settings.py makes of an environment that is fit for real buyers."""
    with monkeypatch.context() as patch:
        made = settings_of(patch, SITE_URL=site_url)
    for name in _OF_PRODUCTION:
        setattr(settings, name, getattr(made, name))
