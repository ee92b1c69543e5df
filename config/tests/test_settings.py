"""Settings: production unless asked otherwise, and no start with something missing or unsafe."""

import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.tests.environments import GOOD, PROJECT, settings_of
from shop.money import UnsupportedCurrency


@pytest.mark.parametrize("name", ["SECRET_KEY", "SITE_URL", "STRIPE_SECRET_KEY"])
def test_a_missing_secret_stops_the_start_and_is_named(name: str) -> None:
    environment = {key: value for key, value in GOOD.items() if key != name}

    outcome = subprocess.run(
        [sys.executable, "-c", "from config import settings"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert outcome.returncode == 1
    assert name in outcome.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SITE_URL": "shop.example"}, "SITE_URL must be like"),
        ({"SITE_URL": "https://shop.example/path"}, "SITE_URL must be like"),
        ({"SHOP_CURRENCY": "ZZZ"}, "'ZZZ' is not a supported currency"),
        (
            {
                "STRIPE_SECRET_KEY": "sk_live_" + "a" * 24,
                "STRIPE_API_HOST": "http://127.0.0.1:8001",
            },
            "refused with a live key",
        ),
        ({"PAYMENT_METHODS": ","}, "PAYMENT_METHODS is empty"),
        ({"INBOX_KEEP_DAYS": "0"}, "INBOX_KEEP_DAYS must be 1 or more, not 0"),
        ({"STAFF_SESSION_HOURS": "0"}, "STAFF_SESSION_HOURS must be 1 or more, not 0"),
        ({"INBOX_KEEP_DAYS": "-1"}, "INBOX_KEEP_DAYS must be 1 or more, not -1"),
        ({"FAULT_POINT": "settling:before-commit"}, "for tests"),
        ({"CLOCK_OFFSET_FILE": "offset"}, "for tests"),
        (
            {
                "STRIPE_SECRET_KEY": "rk_live_" + "a" * 24,
                "TESTING": "1",
                "CLOCK_OFFSET_FILE": "offset",
            },
            "for tests",
        ),
    ],
)
def test_what_is_unsafe_or_wrong_stops_the_start_and_is_said(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], words: str
) -> None:
    with pytest.raises((ImproperlyConfigured, UnsupportedCurrency), match=words):
        settings_of(monkeypatch, **changes)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("DEBUG", False),
        ("ALLOWED_HOSTS", ["shop.example"]),
        ("SESSION_COOKIE_SECURE", True),
        ("SECURE_SSL_REDIRECT", True),
        ("SECURE_HSTS_SECONDS", 31536000),
        ("STRIPE_LIVE_MODE", False),
        ("STAFF_SECOND_FACTOR", True),
        ("STAFF_SESSION_HOURS", 8),
    ],
)
def test_the_defaults_are_those_of_production(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: object
) -> None:
    assert getattr(settings_of(monkeypatch), setting) == value


def test_a_live_key_is_told_by_its_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk_live_" + "a" * 24

    assert settings_of(monkeypatch, STRIPE_SECRET_KEY=key).STRIPE_LIVE_MODE is True


def test_http_is_for_a_site_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    made = settings_of(monkeypatch, SITE_URL="http://127.0.0.1:8000")

    assert made.SECURE_SSL_REDIRECT is False
