"""Environments that the settings may be read from, none of them this process's own."""

import os
import runpy
from pathlib import Path
from typing import Any

import pytest
from django.conf import UserSettingsHolder, global_settings

PROJECT = Path(__file__).parents[2]
GOOD = {
    "PATH": os.environ["PATH"],
    "DATABASE_URL": "postgres://127.0.0.1/none",
    "SECRET_KEY": "settings-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789",
    "SITE_URL": "https://shop.example",
    "STRIPE_SECRET_KEY": "sk_test_" + "a" * 24,
}
PRODUCTION = GOOD | {
    "EMAIL_URL": "smtp://mail.example",
    "STAFF_EMAIL": "staff@mail.example",
    "TRUSTED_PROXY_COUNT": "1",
}


def settings_of(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Any:
    """Return the settings as an environment makes them, without those of this process."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in (PRODUCTION | environment).items():
        monkeypatch.setenv(name, value)
    made = UserSettingsHolder(global_settings)
    for name, value in runpy.run_path(str(PROJECT / "config/settings.py")).items():
        if name.isupper():
            setattr(made, name, value)
    return made
