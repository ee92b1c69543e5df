import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from pytest_django.asserts import assertContains, assertRedirects

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
LINK = r"http://testserver(/accounts/password/reset/key/\S+/)"


def make_admin(email: str, **options: Any) -> str:
    out = StringIO()
    call_command("make_admin", email, stdout=out, **options)
    return out.getvalue()


@pytest.fixture(autouse=True)
def no_password_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADMIN_PASSWORD", raising=False)


@pytest.fixture
def packers() -> Group:
    Group.objects.create(name="Buyers")
    return Group.objects.create(name="Packers")


def is_admin(user: User) -> tuple[bool, bool, bool]:
    user.refresh_from_db()
    return user.is_active, user.is_staff, user.is_superuser


def choose_password(client: Client, path: str, password: str = PASSWORD) -> None:
    """Open the link of a command's words or of a mail, and choose."""
    page = client.get(path, follow=True)
    assertContains(page, "Choose a new password")
    answer = client.post(page.redirect_chain[-1][0], {"password1": password, "password2": password})
    assertRedirects(answer, reverse("account_reset_password_from_key_done"))


def test_a_new_admin_gets_a_link_that_is_printed_and_sets_a_password(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    out = make_admin("Boss@Example.com")

    match = re.fullmatch(
        rf"boss@example\.com is a new admin\.\nChoose a password within 3 days:\n{LINK}\n", out
    )
    assert match
    user = User.objects.get()
    assert (user.email, is_admin(user)) == ("boss@example.com", (True, True, True))
    assert not user.has_usable_password()
    choose_password(client, match[1])
    client.post(reverse("account_login"), {"login": "BOSS@example.com", "password": PASSWORD})
    assert client.get(reverse("admin:index")).status_code == 200
    assert mailoutbox == []


def test_the_link_is_mailed_where_that_is_asked_for(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    out = make_admin("boss@example.com", send=True)

    assert out == (
        "boss@example.com is a new admin.\nA link to choose a password within 3 days was mailed.\n"
    )
    (mail,) = mailoutbox
    assert (mail.to, mail.subject) == (["boss@example.com"], "Quire & Quill: Choose your password")
    match = re.search(LINK, str(mail.body))
    assert match
    assert "http://testserver/admin/" in str(mail.body)
    choose_password(client, match[1])


def test_a_link_is_good_once(client: Client) -> None:
    link = re.findall(LINK, make_admin("boss@example.com"))[0]
    choose_password(client, link)

    page = client.get(link, follow=True)

    assertContains(page, "This link is not valid, or no longer.")


def test_a_mail_that_cannot_be_sent_is_told_and_the_admin_is_there(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    with pytest.raises(CommandError, match=r"could not be mailed .* Without --send it is printed"):
        make_admin("boss@example.com", send=True)

    assert is_admin(User.objects.get()) == (True, True, True)


def test_who_has_no_password_yet_gets_another_link(client: Client) -> None:
    make_admin("boss@example.com")

    out = make_admin("boss@example.com")

    assert out.startswith("boss@example.com is an admin.\nChoose a password within 3 days:\n")
    choose_password(client, re.findall(LINK, out)[0])


def test_a_password_of_the_environment_is_taken_and_not_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)

    out = make_admin("boss@example.com")

    assert out == "boss@example.com is a new admin.\n"
    assert User.objects.get().check_password(PASSWORD)


def test_a_shopper_is_promoted_and_keeps_the_password(
    monkeypatch: pytest.MonkeyPatch, mailoutbox: list[EmailMessage]
) -> None:
    user = UserFactory(email="boss@example.com", password=PASSWORD, is_active=False)
    monkeypatch.setenv("ADMIN_PASSWORD", "another walk by the sea")

    out = make_admin("BOSS@example.com")
    again = make_admin("BOSS@example.com", send=True)

    words = "boss@example.com is an admin, with the password as it was.\n"
    assert (out, again) == (words, f"{words}Nothing was mailed: there is a password.\n")
    assert is_admin(user) == (True, True, True)
    assert user.check_password(PASSWORD)
    assert User.objects.count() == 1
    assert mailoutbox == []


def test_a_second_run_changes_nothing() -> None:
    make_admin("boss@example.com")
    before = User.objects.values().get()

    make_admin("boss@example.com")

    assert User.objects.values().get() == before


def test_a_role_makes_staff_of_a_group_and_no_superuser(packers: Group) -> None:
    out = make_admin("ada@example.com", role="Packers")
    again = make_admin("ada@example.com", role="Packers")

    user = User.objects.get()
    assert out.splitlines()[0] == "ada@example.com is new staff, in the group 'Packers'."
    assert again.splitlines()[0] == "ada@example.com is staff, in the group 'Packers'."
    assert is_admin(user) == (True, True, False)
    assert user.groups.get() == packers


def test_a_role_adds_to_what_somebody_is(packers: Group) -> None:
    boss = User.objects.create_superuser("boss@example.com", PASSWORD)
    reader = UserFactory(email="ada@example.com", password=PASSWORD)
    reader.groups.set(Group.objects.filter(name="Buyers"))

    of_boss = make_admin("boss@example.com", role="Packers")
    of_reader = make_admin("ada@example.com", role="Packers")

    assert of_boss == (
        "boss@example.com is staff, in the group 'Packers' and a superuser as before, "
        "with the password as it was.\n"
    )
    assert of_reader == (
        "ada@example.com is staff, in the group 'Packers', with the password as it was.\n"
    )
    assert is_admin(boss) == (True, True, True)
    assert is_admin(reader) == (True, True, False)
    assert set(reader.groups.values_list("name", flat=True)) == {"Buyers", "Packers"}


def test_a_role_that_there_is_not_makes_nobody_and_names_those_there_are(packers: Group) -> None:
    there_are = "Accountant, Buyers, Manager, Packers, Support, Warehouse"
    with pytest.raises(CommandError, match=f"no group 'packers'. There is: {there_are}"):
        make_admin("ada@example.com", role="packers")

    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [
        ("boss", PASSWORD, "Enter a valid email address."),
        ("boss", "", "Enter a valid email address."),
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
