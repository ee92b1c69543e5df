import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def codes_of_a_day(settings: Settings) -> None:
    """A code that changed between reading and sending it would fail a test now and then."""
    settings.MFA_TOTP_PERIOD = 24 * 3600
