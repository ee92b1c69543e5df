"""Signing in to the API with two steps."""

from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.second_step import WRONG_CODE, code_of, give_app, sign_in
from api.tests.calls import Caller, assert_problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    """A user with an app."""
    user: User = UserFactory(email="ada@example.com", password=PASSWORD)
    give_app(user)
    return user


def login(password: str = PASSWORD, **more: Any) -> Any:
    body = {"email": "ada@example.com", "password": password} | more
    return Caller().post("auth/login/", body)


def test_without_a_code_it_is_asked_for_and_nothing_is_begun(ada: User) -> None:
    answer = login()

    assert_problem(answer, 401, "second_factor_required")
    assert not answer.cookies
    assert Session.objects.count() == 0


def test_password_and_code_together_are_answered_with_tokens(ada: User) -> None:
    answer = login(code=code_of())

    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "refresh_token", "token_type", "expires_in"}
    bearer = Caller(Authorization=f"Bearer {answer.json()['access_token']}")
    assert bearer.get("auth/me/").json()["email"] == "ada@example.com"
    assert not answer.cookies
    assert Session.objects.count() == 1


def test_a_wrong_code_is_told_from_a_missing_one_and_leaves_nothing(ada: User) -> None:
    assert_problem(login(code=WRONG_CODE), 401, "bad_second_factor")

    assert Session.objects.count() == 0


def test_only_who_knows_the_password_learns_that_there_is_a_second_step(ada: User) -> None:
    assert_problem(login("a guess"), 401, "bad_credentials")
    assert_problem(login("a guess", code=code_of()), 401, "bad_credentials")

    assert login(code=code_of()).status_code == 200


def test_a_code_is_good_once(ada: User) -> None:
    assert login(code=code_of()).status_code == 200

    assert_problem(login(code=code_of()), 401, "bad_second_factor")


def test_a_recovery_code_will_do_once() -> None:
    ada = UserFactory(email="ada@example.com", password=PASSWORD)
    code = give_app(ada)[0]

    assert login(code=code).status_code == 200
    assert_problem(login(code=code), 401, "bad_second_factor")


def test_codes_are_guessed_at_so_often_by_pages_and_api_together(client: Client, ada: User) -> None:
    sign_in(client, ada)
    for _ in range(3):
        client.post(reverse("mfa_authenticate"), {"code": WRONG_CODE})
    for _ in range(2):
        assert_problem(login(code=WRONG_CODE), 401, "bad_second_factor")

    refused = login(code=code_of())

    assert_problem(refused, 429, "too_many_requests")
    assert refused["Retry-After"] == "60"
    client.post(reverse("mfa_authenticate"), {"code": code_of()})
    assert get_user(client).is_anonymous


def test_who_has_no_second_step_needs_no_code_and_may_send_one() -> None:
    UserFactory(email="ada@example.com", password=PASSWORD)

    assert login().status_code == 200
    assert login(code="123456").status_code == 200


def test_a_closed_account_is_told_so_whatever_code_is_sent(ada: User) -> None:
    User.objects.update(is_active=False)

    assert_problem(login(code=code_of()), 403, "account_inactive")
    assert Session.objects.count() == 0


@pytest.mark.parametrize("code", ["", " ", "1" * 41, None, 5.5, ["123456"]])
def test_what_is_no_code_is_a_fault_of_the_field(ada: User, code: Any) -> None:
    problem = assert_problem(login(code=code), 422, "invalid")

    assert {error["field"] for error in problem["errors"]} == {"code"}
    assert Session.objects.count() == 0


def test_the_session_token_of_allauth_begins_nothing(ada: User) -> None:
    browser = Client()
    sign_in(browser, ada)
    pending = browser.session.session_key or ""

    answer = Caller(X_Session_Token=pending).post(
        "auth/login/", {"email": "x@example.com", "password": PASSWORD, "code": code_of()}
    )

    assert_problem(answer, 401, "bad_credentials")
