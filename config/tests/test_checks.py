"""What `check --deploy` holds, and that the settings of a real shop break none of it."""

import os
import subprocess
import sys
from typing import Any

import pytest
from csp.constants import SELF, UNSAFE_INLINE

from config import checks
from config.tests.environments import PRODUCTION, PROJECT, settings_of


def ids(settings: Any) -> list[str | None]:
    return [message.id for message in checks.broken(settings)]


def test_a_shop_set_up_as_told_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.broken(settings_of(monkeypatch)) == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SITE_URL": "http://shop.example"}, ["shop.E001", "shop.E005", "shop.E006"]),
        (
            {"SITE_URL": "http://shop.example", "STRIPE_SECRET_KEY": "sk_live_" + "a" * 24},
            ["shop.E001", "shop.E002", "shop.E005", "shop.E006"],
        ),
        ({"TESTING": "1"}, ["shop.E003", "shop.W005"]),
        ({"TRUSTED_PROXY_COUNT": "0"}, ["shop.W001"]),
        ({"EMAIL_URL": "consolemail://"}, ["shop.W002"]),
        ({"STRIPE_API_HOST": "http://127.0.0.1:8001"}, ["shop.W003"]),
        ({"STAFF_EMAIL": ""}, ["shop.W004"]),
        ({"STAFF_SECOND_FACTOR": "0"}, ["shop.W005"]),
    ],
)
def test_an_environment_that_is_not_fit_is_told(
    environment: dict[str, str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ids(settings_of(monkeypatch, **environment)) == expected


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("ALLOWED_HOSTS", ["*"], "shop.E004"),
        ("ALLOWED_HOSTS", [".shop.example"], "shop.E004"),
        ("ALLOWED_HOSTS", [], "shop.E004"),
        ("SESSION_COOKIE_NAME", "sessionid", "shop.E005"),
        ("CART_COOKIE_NAME", "cart", "shop.E005"),
        ("CSRF_COOKIE_HTTPONLY", False, "shop.E005"),
        ("SESSION_COOKIE_SECURE", False, "shop.E005"),
        ("SESSION_COOKIE_SAMESITE", "None", "shop.E005"),
        ("SESSION_COOKIE_DOMAIN", ".example", "shop.E005"),
        ("SECURE_HSTS_SECONDS", 3600, "shop.E006"),
        ("SECURE_CROSS_ORIGIN_OPENER_POLICY", None, "shop.E009"),
        ("SECURE_REFERRER_POLICY", "unsafe-url", "shop.E010"),
        ("USE_X_FORWARDED_HOST", True, "shop.E011"),
        ("USE_X_FORWARDED_PORT", True, "shop.E011"),
        ("SECURE_PROXY_SSL_HEADER", None, "shop.E012"),
        ("TRUSTED_PROXY_COUNT", 0, "shop.E012"),
        ("DATA_UPLOAD_MAX_MEMORY_SIZE", None, "shop.E013"),
        ("DATA_UPLOAD_MAX_NUMBER_FIELDS", 5000, "shop.E013"),
        ("DATA_UPLOAD_MAX_NUMBER_FILES", None, "shop.E013"),
        ("PERMISSIONS_POLICY", {"camera": []}, "shop.E008"),
    ],
)
def test_an_edit_that_loosens_a_setting_is_told(
    setting: str, value: Any, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(monkeypatch)
    setattr(settings, setting, value)

    assert expected in ids(settings)


@pytest.mark.parametrize(
    "changes",
    [
        {"default-src": [SELF, "https://cdn.example"]},
        {"style-src": [SELF, UNSAFE_INLINE]},
        {"script-src": [SELF, "*"]},
        {"frame-ancestors": [SELF]},
        {"object-src": None},
    ],
)
def test_a_looser_content_policy_is_told(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(monkeypatch)
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"] | changes
    settings.CONTENT_SECURITY_POLICY = {
        "DIRECTIVES": {name: values for name, values in directives.items() if values}
    }

    assert ids(settings) == ["shop.E007"]


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        ("csp.middleware.CSPMiddleware", "shop.E007"),
        ("django_permissions_policy.PermissionsPolicyMiddleware", "shop.E008"),
        ("config.headers.resource_policy", "shop.E009"),
    ],
)
def test_a_middleware_that_is_gone_is_told(
    middleware: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(monkeypatch)
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != middleware]

    assert ids(settings) == [expected]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({}, 0, "System check identified no issues"),
        ({"EMAIL_URL": ""}, 1, "(shop.W002) Mail is not sent to anybody."),
        ({"SECRET_KEY": "short"}, 1, "(security.W009)"),
        ({"DEBUG": "1"}, 1, "(security.W018)"),
    ],
)
def test_the_command_tells(changes: dict[str, str], status: int, words: str) -> None:
    environment = {
        name: value
        for name, value in (
            PRODUCTION | {"DATABASE_URL": os.environ["DATABASE_URL"]} | changes
        ).items()
        if value
    }

    outcome = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert outcome.returncode == status, outcome.stderr
    assert words in outcome.stdout + outcome.stderr
