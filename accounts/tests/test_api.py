"""Signing in by token: who gets one, how long it is good, and what ends it."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from allauth.headless.tokens.strategies.jwt import internal
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts import services
from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from api.tests.calls import Caller, assert_problem, fields_of

pytestmark = pytest.mark.django_db
OTHER_PASSWORD = "a longer walk by the sea"


@pytest.fixture
def ada() -> User:
    user: User = UserFactory(email="ada@example.com", password=PASSWORD)
    return user


def sign_in(email: str = "ada@example.com", password: str = PASSWORD) -> dict[str, Any]:
    """Return the tokens of a new sign-in."""
    answer = Caller().post("auth/login/", {"email": email, "password": password})
    assert answer.status_code == 200, answer.content
    tokens: dict[str, Any] = answer.json()
    return tokens


def bearer(tokens: dict[str, Any]) -> Caller:
    return Caller(Authorization=f"Bearer {tokens['access_token']}")


def refresh(tokens: dict[str, Any]) -> Any:
    return Caller().post("auth/refresh/", {"refresh_token": tokens["refresh_token"]})


def assert_ended(tokens: dict[str, Any]) -> None:
    """Assert that neither token of a sign-in is good for anything."""
    refused = bearer(tokens).get("auth/me/")
    assert_problem(refused, 401, "bad_token")
    assert refused["WWW-Authenticate"] == "Bearer"
    assert_problem(refresh(tokens), 401, "bad_token")


def test_registering_makes_an_account_and_signs_in() -> None:
    answer = Caller().post("auth/register/", {"email": "Ada@Example.com", "password": PASSWORD})

    assert answer.status_code == 201
    assert set(answer.json()) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 900)
    me = bearer(answer.json()).get("auth/me/").json()
    user = User.objects.get()
    assert me == {
        "id": str(user.public_id),
        "email": "ada@example.com",
        "name": "",
        "is_confirmed": False,
        "is_staff": False,
        "date_joined": user.date_joined.isoformat().replace("+00:00", "Z"),
    }
    assert not answer.cookies
    # The mail leads to the shop's own page.
    (confirming,) = mail.outbox
    assert "http://testserver/accounts/confirm-email/" in str(confirming.body)


def test_registering_twice_and_with_a_weak_password_is_refused(ada: User) -> None:
    again = Caller().post("auth/register/", {"email": "ADA@example.com", "password": PASSWORD})
    weak = Caller().post("auth/register/", {"email": "grace@example.com", "password": "secret"})

    assert_problem(again, 409, "email_taken")
    problem = assert_problem(weak, 422, "invalid")
    assert [error["field"] for error in problem["errors"]] == ["password", "password"]
    assert User.objects.get() == ada


def test_missing_fields_are_named() -> None:
    problem = assert_problem(Caller().post("auth/login/", {"email": "x"}), 422, "invalid")

    assert fields_of(problem) == {"email": "invalid", "password": "required"}


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(ada: User) -> None:
    wrong = Caller().post("auth/login/", {"email": ada.email, "password": OTHER_PASSWORD})
    unknown = Caller().post("auth/login/", {"email": "x@example.com", "password": PASSWORD})

    assert assert_problem(wrong, 401, "bad_credentials") == unknown.json()
    assert Session.objects.count() == 0


def test_only_who_knows_the_password_learns_that_the_account_is_closed(ada: User) -> None:
    User.objects.update(is_active=False)

    right = Caller().post("auth/login/", {"email": ada.email, "password": PASSWORD})
    wrong = Caller().post("auth/login/", {"email": ada.email, "password": OTHER_PASSWORD})

    assert_problem(right, 403, "account_inactive")
    assert_problem(wrong, 401, "bad_credentials")


def test_an_account_is_guessed_at_so_often_by_pages_and_api_together(ada: User) -> None:
    for _ in range(3):
        Client().post("/accounts/login/", {"login": ada.email, "password": "a guess"})
    for _ in range(2):
        Caller().post("auth/login/", {"email": ada.email, "password": "a guess"})

    refused = Caller().post("auth/login/", {"email": ada.email, "password": PASSWORD})

    assert_problem(refused, 429, "too_many_requests")
    assert refused["Retry-After"] == "60"
    assert Session.objects.count() == 0


@pytest.mark.parametrize("body", ["x", "[1]", '"\\ud800"'])
def test_signing_out_takes_no_body_and_minds_none(ada: User, body: str) -> None:
    tokens = sign_in()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    answer = Client().generic(
        "POST", "/api/auth/logout/", body, content_type="application/json", headers=headers
    )

    assert answer.status_code == 204
    assert_ended(tokens)


def test_registering_is_limited_also_where_the_database_counts(settings: Settings) -> None:
    settings.CACHES = settings.CACHES | {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache",
        }
    }
    UserFactory(email="ada@example.com")
    body = {"email": "ada@example.com", "password": PASSWORD}

    for _ in range(10):
        assert_problem(Caller().post("auth/register/", body), 409, "email_taken")

    assert_problem(Caller().post("auth/register/", body), 429, "too_many_requests")


def test_signing_in_again_works_whatever_token_is_sent_along(ada: User) -> None:
    first = sign_in()

    second = bearer(first).post("auth/login/", {"email": ada.email, "password": PASSWORD})

    assert second.status_code == 200
    assert bearer(second.json()).get("auth/me/").status_code == 200
    assert bearer(first).get("auth/me/").status_code == 200


def test_a_session_of_the_pages_is_no_token_and_a_token_no_session(ada: User) -> None:
    browser = Client()
    browser.force_login(ada)
    key = browser.session.session_key or ""
    tokens = sign_in()

    # By a header that allauth knows; beside a token it changes nothing.
    body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    by_header = Caller(X_Session_Token=key).post("auth/password/change/", body)
    assert_problem(by_header, 401, "not_authenticated")
    other = sign_in()
    both = Caller(Authorization=f"Bearer {other['access_token']}", X_Session_Token=key)
    assert both.post("auth/logout/").status_code == 204
    assert_ended(other)
    assert browser.get("/api/auth/me/").status_code == 200
    # Nor is a cookie looked at where somebody says in another way who he is.
    other_way = browser.get("/api/auth/me/", headers={"Authorization": "Basic abc"})
    assert_problem(other_way, 401, "not_authenticated")
    # A bad token is not made good by a cookie that goes along.
    refused = browser.get("/api/auth/me/", headers={"Authorization": "Bearer nonsense"})
    assert_problem(refused, 401, "bad_token")
    # A token opens no page.
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert Client().get("/accounts/", headers=headers).status_code == 302
    refused = Caller(Authorization=f"Bearer {tokens['refresh_token']}").get("auth/me/")
    assert_problem(refused, 401, "bad_token")


def test_the_session_of_the_pages_reads_and_changes_only_with_its_token(ada: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    assert browser.get("/api/auth/me/").json()["email"] == ada.email

    refused = browser.delete("/api/cart/")
    assert_problem(refused, 403, "forbidden")
    assert "CSRF" in refused.json()["detail"]

    page = browser.get("/accounts/password/change/").content.decode()
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found
    assert browser.delete("/api/cart/", headers={"X-CSRFToken": found[1]}).status_code == 200


def test_a_refresh_token_is_good_once(ada: User) -> None:
    first = sign_in()

    second = refresh(first)

    assert second.status_code == 200
    assert bearer(second.json()).get("auth/me/").status_code == 200
    assert_problem(refresh(first), 401, "bad_token")
    assert refresh(second.json()).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_who_refresh_at_once_one_is_refused(ada: User) -> None:
    tokens = sign_in()

    def trade(token: str) -> Any:
        try:
            return refresh({"refresh_token": token})
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        # The same token, as base64 lets one spell it.
        spelled = [tokens["refresh_token"] + "=" * (number % 2) for number in range(4)]
        answers = list(pool.map(trade, spelled))

    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    (good,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert bearer(good).get("auth/me/").status_code == 200
    assert refresh(good).status_code == 200


def sign_out(user: User, tokens: dict[str, Any]) -> None:
    assert bearer(tokens).post("auth/logout/").status_code == 204


def change_password(user: User, tokens: dict[str, Any]) -> None:
    body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert bearer(tokens).post("auth/password/change/", body).status_code == 204
    assert sign_in(password=OTHER_PASSWORD)


def reset_password(user: User, tokens: dict[str, Any]) -> None:
    assert Caller().post("auth/password/forgot/", {"email": user.email}).status_code == 202
    found = re.search(r"/accounts/password/reset/key/([^/]+)/", str(mail.outbox[-1].body))
    assert found
    body = {"key": found[1], "password": OTHER_PASSWORD}
    assert Caller().post("auth/password/reset/", body).status_code == 204
    assert_problem(Caller().post("auth/password/reset/", body), 422, "invalid")
    assert sign_in(password=OTHER_PASSWORD)


def deactivate(user: User, tokens: dict[str, Any]) -> None:
    services.deactivate(user=user, by=UserFactory(is_superuser=True, is_staff=True))


def erase(user: User, tokens: dict[str, Any]) -> None:
    services.erase(user=user)


def end_sessions(user: User, tokens: dict[str, Any]) -> None:
    Session.objects.all().delete()


@pytest.mark.parametrize(
    "end", [sign_out, change_password, reset_password, deactivate, erase, end_sessions]
)
def test_tokens_are_refused_after(ada: User, end: Callable[[User, dict[str, Any]], None]) -> None:
    tokens = sign_in()
    other = sign_in()

    end(ada, tokens)

    assert_ended(tokens)
    if end is not sign_out:
        assert_ended(other)


def test_an_access_token_ends_after_a_quarter_of_an_hour(ada: User, settings: Settings) -> None:
    assert settings.HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN == 900
    settings.HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = -1
    tokens = sign_in()

    assert_problem(bearer(tokens).get("auth/me/"), 401, "bad_token")
    settings.HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 900
    assert bearer(refresh(tokens).json()).get("auth/me/").status_code == 200


def test_a_token_of_another_key_or_of_none_is_refused(ada: User, settings: Settings) -> None:
    session = Client().session
    settings.HEADLESS_JWT_PRIVATE_KEY = "somebody else's key" * 3
    session.create()
    forged = internal.create_access_token(ada, session, {})
    del settings.HEADLESS_JWT_PRIVATE_KEY

    assert_problem(bearer({"access_token": forged}).get("auth/me/"), 401, "bad_token")
    assert_problem(Caller().get("auth/me/"), 401, "not_authenticated")


def test_changing_the_password_takes_the_present_one(ada: User) -> None:
    tokens = sign_in()
    body = {"current_password": "a guess", "new_password": "short"}

    problem = assert_problem(bearer(tokens).post("auth/password/change/", body), 422, "invalid")

    assert {error["field"] for error in problem["errors"]} == {"current_password", "new_password"}
    assert bearer(tokens).get("auth/me/").status_code == 200


@pytest.mark.parametrize("key", ["", "nonsense", "-x", "zzzzzzzzzzzzz-x", "1-", "ü-x"])
def test_a_key_that_nobody_was_sent_sets_no_password(ada: User, key: str) -> None:
    body = {"key": key, "password": OTHER_PASSWORD}

    problem = assert_problem(Caller().post("auth/password/reset/", body), 422, "invalid")

    assert {error["field"] for error in problem["errors"]} == {"key"}
    assert sign_in()


def test_asking_for_a_mail_tells_nobody_who_has_an_account(ada: User) -> None:
    known = Caller().post("auth/password/forgot/", {"email": ada.email})
    unknown = Caller().post("auth/password/forgot/", {"email": "x@example.com"})

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)


def test_staff_close_an_account_but_not_their_own_nor_a_colleagues(ada: User) -> None:
    clerk, colleague = UserFactory(is_staff=True), UserFactory(is_staff=True)

    with pytest.raises(services.CannotDeactivate, match="the account that he is signed in with"):
        services.deactivate(user=clerk, by=clerk)
    with pytest.raises(services.CannotDeactivate, match="Only a superuser"):
        services.deactivate(user=colleague, by=clerk)
    assert not services.deactivate(user=ada, by=clerk).is_active
    assert not services.deactivate(user=ada, by=clerk).is_active

    assert User.objects.filter(is_active=False).get() == ada
