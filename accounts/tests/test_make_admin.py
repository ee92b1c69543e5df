import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db


def make_admin(email: str) -> str:
    out = StringIO()
    call_command("make_admin", email, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def no_password_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADMIN_PASSWORD", raising=False)


def is_admin(user: User) -> tuple[bool, bool, bool]:
    user.refresh_from_db()
    return user.is_active, user.is_staff, user.is_superuser


def test_a_new_admin_gets_a_password_that_is_printed_and_works(client: Client) -> None:
    out = make_admin("Boss@Example.com")

    match = re.fullmatch(r"boss@example\.com is a new admin\.\nPassword: (\S{16})\n", out)
    assert match
    user = User.objects.get()
    assert (user.email, is_admin(user)) == ("boss@example.com", (True, True, True))
    client.post(reverse("account_login"), {"login": "BOSS@example.com", "password": match.group(1)})
    assert client.get(reverse("admin:index")).status_code == 200


def test_a_password_of_the_environment_is_taken_and_not_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)

    out = make_admin("boss@example.com")

    assert out == "boss@example.com is a new admin.\n"
    assert User.objects.get().check_password(PASSWORD)


def test_a_shopper_is_promoted_and_keeps_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    user = UserFactory(email="boss@example.com", password=PASSWORD, is_active=False)
    monkeypatch.setenv("ADMIN_PASSWORD", "another walk by the sea")

    out = make_admin("BOSS@example.com")

    assert out == "boss@example.com is an admin, with the password as it was.\n"
    assert is_admin(user) == (True, True, True)
    assert user.check_password(PASSWORD)
    assert User.objects.count() == 1


def test_a_second_run_changes_nothing() -> None:
    make_admin("boss@example.com")
    before = User.objects.values().get()

    make_admin("boss@example.com")

    assert User.objects.values().get() == before


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [
        ("boss", PASSWORD, "Enter a valid email address."),
        ("boss@example.com", "short", "This password is too short."),
        ("boss@example.com", "password123", "This password is too common."),
    ],
)
def test_a_bad_address_or_a_weak_password_makes_nobody(
    monkeypatch: pytest.MonkeyPatch, email: str, password: str, message: str
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", password)

    with pytest.raises(CommandError, match=re.escape(message)):
        make_admin(email)

    assert not User.objects.exists()
