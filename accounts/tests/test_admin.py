"""Users in the admin: never deleted, and only a superuser hands out rights."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

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


def test_a_superuser_adds_a_user_whose_password_is_hashed(staff: Client) -> None:
    answer = staff.post(
        reverse(ADD),
        {
            "email": "New@Example.com",
            "usable_password": "true",
            "password1": PASSWORD,
            "password2": PASSWORD,
        },
    )

    assert answer.status_code == 302
    user = User.objects.get(email="new@example.com")
    assert user.check_password(PASSWORD)
    assert not user.is_staff


def test_an_address_that_is_taken_in_other_case_is_a_form_error(staff: Client) -> None:
    answer = staff.post(reverse(ADD), {"email": "BOSS@example.com", "usable_password": "false"})

    assert answer.status_code == 200
    assert "already an account" in str(answer.context["errors"])
    assert User.objects.count() == 1


def test_the_page_shows_no_password_and_leads_to_the_form_that_sets_one(staff: Client) -> None:
    user = UserFactory(password=PASSWORD)

    page = staff.get(_change(user)).content.decode()
    answer = staff.post(
        reverse("admin:auth_user_password_change", args=[user.pk]),
        {"usable_password": "true", "password1": "a new long walk", "password2": "a new long walk"},
    )

    assert user.password not in page
    assert answer.status_code == 302
    user.refresh_from_db()
    assert user.check_password("a new long walk")


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


def test_staff_touch_no_colleague_nor_his_password(client: Client, clerk: User) -> None:
    colleague = User.objects.create_superuser("boss@example.com", PASSWORD)

    change = client.post(_change(colleague), _posted(colleague, name="Ada"))
    password = client.post(
        reverse("admin:auth_user_password_change", args=[colleague.pk]),
        {"usable_password": "true", "password1": "a new long walk", "password2": "a new long walk"},
    )

    assert (change.status_code, password.status_code) == (403, 403)
    colleague.refresh_from_db()
    assert colleague.name == ""
    assert colleague.check_password(PASSWORD)


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
