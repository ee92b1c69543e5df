"""A superuser takes away the second step of a colleague who has lost phone and codes."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import NoReverseMatch, reverse
from pytest_django import Settings
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from accounts import services
from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory, a_clerk
from accounts.tests.second_step import code_of, give_app, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def colleague() -> User:
    user: User = UserFactory(email="ada@example.com", password=PASSWORD, is_staff=True)
    give_app(user)
    return user


def _page(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def _reset(user: User) -> str:
    return reverse("admin:accounts_user_reset_second_step", args=[user.pk])


def test_the_page_of_a_person_says_how_he_signs_in_and_leads_to_the_question(
    staff: Client, colleague: User
) -> None:
    page = staff.get(_page(colleague))
    question = staff.get(_reset(colleague))

    assertContains(page, "By an app, set up on")
    assertContains(page, f'href="{_reset(colleague)}"')
    assertContains(question, "Reset the second step of ada@example.com?")
    assert Authenticator.objects.count() == 2


def test_app_and_codes_are_gone_it_is_noted_and_the_person_is_told(
    staff: Client,
    boss: User,
    colleague: User,
    mailoutbox: list[EmailMessage],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = staff.post(_reset(colleague))

    assertRedirects(answer, _page(colleague), fetch_redirect_response=False)
    assert not Authenticator.objects.exists()
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (boss, str(colleague.pk))
    assert entry.get_change_message() == "Second step of sign-in reset"
    (mail,) = mailoutbox
    assert (mail.to, mail.subject) == (
        ["ada@example.com"],
        "Quire & Quill: Your second step was reset",
    )
    assert "a colleague has reset the second step" in str(mail.body)
    assertContains(staff.get(_page(colleague)), "is reset, and he is told")


def test_who_was_signed_in_by_it_sets_up_another(
    client: Client, colleague: User, boss: User, settings: Settings
) -> None:
    settings.STAFF_SECOND_FACTOR = True
    sign_in(client, colleague, code_of())
    assert client.get("/admin/").status_code == 200

    services.reset_second_factor(user=colleague, by=boss)

    assert client.get("/admin/")["Location"].startswith(reverse("mfa_activate_totp"))


def test_staff_who_may_change_people_reset_nothing(client: Client, colleague: User) -> None:
    clerk = a_clerk("(view|change)_user")
    client.force_login(clerk)

    assert client.get(_reset(colleague)).status_code == 403
    assert client.post(_reset(colleague)).status_code == 403
    assertNotContains(client.get(_page(UserFactory())), "Reset the second step")
    with pytest.raises(services.CannotReset, match="Only a superuser"):
        services.reset_second_factor(user=colleague, by=clerk)

    assert Authenticator.objects.count() == 2
    assert not LogEntry.objects.exists()


def test_a_superuser_does_not_go_past_his_own(
    staff: Client, boss: User, mailoutbox: list[EmailMessage]
) -> None:
    give_app(boss)

    answer = staff.post(_reset(boss), follow=True)

    assertContains(answer, "Use another app, on the page of your own account.")
    assert (Authenticator.objects.count(), LogEntry.objects.count(), mailoutbox) == (2, 0, [])


def test_where_there_is_nothing_to_reset_nobody_is_told(
    staff: Client, mailoutbox: list[EmailMessage]
) -> None:
    answer = staff.post(_reset(UserFactory()), follow=True)

    assertContains(answer, "There is no second step to reset.")
    assert (LogEntry.objects.count(), mailoutbox) == (0, [])


def test_a_person_who_is_not_there_is_404(staff: Client) -> None:
    assert (
        staff.post(reverse("admin:accounts_user_reset_second_step", args=[99])).status_code == 404
    )


def test_the_admin_has_no_page_of_keys_and_codes() -> None:
    with pytest.raises(NoReverseMatch):
        reverse("admin:mfa_authenticator_changelist")
