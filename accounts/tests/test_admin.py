"""Users in the admin: never deleted, and only a superuser hands out rights."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory, a_clerk

pytestmark = pytest.mark.django_db

ADD = "admin:accounts_user_add"
LIST = "admin:accounts_user_changelist"


@pytest.fixture
def clerk(client: Client) -> User:
    """Staff who may change users, and is no superuser; signed in."""
    user = a_clerk("(view|change|add)_user")
    client.force_login(user)
    return user


def _change(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def _posted(user: User, **fields: Any) -> dict[str, Any]:
    return {"name": user.name, "is_active": "on"} | fields


def test_a_superuser_adds_a_user_who_chooses_a_password_himself(staff: Client) -> None:
    answer = staff.post(reverse(ADD), {"email": "New@Example.com", "name": "Ada"})

    assert answer.status_code == 302
    user = User.objects.get(email="new@example.com")
    assert (user.name, user.has_usable_password(), user.is_staff) == ("Ada", False, False)


def test_an_address_that_is_taken_in_other_case_is_a_form_error(staff: Client) -> None:
    answer = staff.post(reverse(ADD), {"email": "BOSS@example.com"})

    assert answer.status_code == 200
    assert "already an account" in str(answer.context["errors"])
    assert User.objects.count() == 1


def test_the_page_shows_no_password_and_nobody_sets_one_for_another(staff: Client) -> None:
    user = UserFactory(password=PASSWORD)

    page = staff.get(_change(user)).content.decode()
    staff.post(_change(user), _posted(user, password="x", password1="y", password2="y"))

    *_how, salt, digest = user.password.split("$")
    assert [word for word in (salt[:6], digest[:6]) if word in page] == []
    assert ">Set<" in page
    with pytest.raises(NoReverseMatch):
        reverse("admin:auth_user_password_change", args=[user.pk])
    assert staff.get(f"/admin/accounts/user/{user.pk}/password/").status_code in {302, 404}
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_a_link_is_mailed_by_which_somebody_sets_a_password_himself(
    client: Client, clerk: User, mailoutbox: list[EmailMessage]
) -> None:
    user = UserFactory(email="ada@example.com", password=PASSWORD)
    page = reverse("admin:accounts_user_send_password_link", args=[user.pk])

    question = client.get(page)
    assert not mailoutbox
    answer = client.post(page)

    assert (question.status_code, answer["Location"]) == (200, _change(user))
    (message,) = mailoutbox
    assert message.to == ["ada@example.com"]
    (link,) = re.findall(r"http://testserver(/\S+)", str(message.body))
    chosen = Client().get(link, follow=True)
    assert "Choose a new password" in chosen.content.decode()
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (clerk, str(user.pk))
    assert entry.change_message == "Link to set a new password mailed"
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_no_link_is_mailed_for_an_account_that_is_closed_or_a_colleagues(
    client: Client, clerk: User, mailoutbox: list[EmailMessage]
) -> None:
    for user in (UserFactory(is_active=False), UserFactory(is_staff=True)):
        client.post(reverse("admin:accounts_user_send_password_link", args=[user.pk]))

    assert not mailoutbox
    assert not LogEntry.objects.exists()


def test_an_account_is_closed_by_a_deed_and_its_sign_ins_end_at_once(
    client: Client, clerk: User
) -> None:
    user, browser = UserFactory(), Client()
    browser.force_login(user)
    page = reverse("admin:accounts_user_close_account", args=[user.pk])

    client.post(_change(user), {"name": "Ada"})
    client.get(page)
    user.refresh_from_db()
    assert (user.name, user.is_active) == ("Ada", True), "no box to untick, and nothing by GET"
    client.post(page)

    user.refresh_from_db()
    assert not user.is_active
    assert browser.get(reverse("account")).status_code == 302
    assert LogEntry.objects.filter(change_message="Deactivated", user=clerk).count() == 1


def test_a_colleagues_account_is_closed_by_a_superuser_alone(client: Client, clerk: User) -> None:
    colleague = UserFactory(is_staff=True)

    answer = client.post(
        reverse("admin:accounts_user_close_account", args=[colleague.pk]), follow=True
    )

    assert "Only a superuser closes an account of staff." in answer.content.decode()
    colleague.refresh_from_db()
    assert colleague.is_active


@pytest.mark.parametrize("deed", ["send_password_link", "close_account"])
def test_who_may_only_look_is_refused(
    client: Client, mailoutbox: list[EmailMessage], deed: str
) -> None:
    client.force_login(a_clerk("view_user"))
    user = UserFactory()

    answer = client.post(reverse(f"admin:accounts_user_{deed}", args=[user.pk]))

    assert answer.status_code == 403
    user.refresh_from_db()
    assert user.is_active
    assert not mailoutbox


def test_the_address_of_an_account_stays(staff: Client) -> None:
    user = UserFactory()

    staff.post(_change(user), _posted(user, name="Ada", email="other@example.com"))

    email = user.email
    user.refresh_from_db()
    assert (user.name, user.email) == ("Ada", email)


def test_nobody_deletes_users(staff: Client) -> None:
    user = UserFactory()

    answer = staff.post(reverse("admin:accounts_user_delete", args=[user.pk]), {"post": "yes"})
    staff.post(
        reverse(LIST), {"action": "delete_selected", "_selected_action": user.pk, "post": "yes"}
    )

    assert answer.status_code == 403
    assert User.objects.filter(pk=user.pk).exists()


def test_staff_who_change_users_give_no_rights(client: Client, clerk: User) -> None:
    user = UserFactory()

    for target in (user, clerk):
        answer = client.post(
            _change(target),
            _posted(
                target,
                name="Ada",
                is_staff="on",
                is_superuser="on",
                user_permissions=[Permission.objects.values_list("pk", flat=True)[0]],
            ),
        )
        assert answer.status_code == 302

    user.refresh_from_db()
    clerk.refresh_from_db()
    assert (user.name, user.is_staff, user.is_superuser) == ("Ada", False, False)
    assert (clerk.is_superuser, clerk.user_permissions.count()) == (False, 3)


def test_staff_touch_no_colleague(client: Client, clerk: User) -> None:
    colleague = User.objects.create_superuser("boss@example.com", PASSWORD)

    answer = client.post(_change(colleague), _posted(colleague, name="Ada"))

    assert answer.status_code == 403
    colleague.refresh_from_db()
    assert colleague.name == ""


def test_the_list_is_searched_by_address_and_name_at_a_fixed_cost(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(25):
        UserFactory(name=f"Ada the {number}th")

    with django_assert_max_num_queries(8):
        everybody = staff.get(reverse(LIST))
    found = staff.get(reverse(LIST), {"q": "24th"})

    assert len(everybody.context["cl"].result_list) == 26
    assert [user.name for user in found.context["cl"].result_list] == ["Ada the 24th"]
