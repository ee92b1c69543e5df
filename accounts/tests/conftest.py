import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Hashing that is slow on purpose would take most of the time of these tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def codes_of_a_day(settings: Settings) -> None:
    """A code that changed between reading and sending it would fail a test now and then."""
    settings.MFA_TOTP_PERIOD = 24 * 3600
