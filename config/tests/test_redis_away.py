"""Redis away: the shop goes on, and sign-in is guarded as it is with Redis."""

from typing import Any

import pytest
from django.contrib.auth import get_user
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.second_step import code_of, give_app, sign_in
from config.tests.environments import settings_of

pytestmark = pytest.mark.django_db
TOO_MANY = "Too many failed login attempts. Try again later."
WAS_USED = "This code is wrong, or was used before."


@pytest.fixture(autouse=True)
def redis_away(settings: Any) -> None:
    """Keep in caches what production keeps there; nobody listens where its Redis should be."""
    with pytest.MonkeyPatch.context() as production:
        made = settings_of(production, REDIS_URL="redis://127.0.0.1:1/0")
    settings.CACHES = made.CACHES


@pytest.fixture
def user() -> User:
    user: User = UserFactory(password=PASSWORD)
    return user


def test_a_password_signs_in(client: Client, user: User) -> None:
    assert sign_in(client, user).status_code == 302

    assert get_user(client) == user


def test_an_account_is_guessed_at_5_times_and_not_once_more(client: Client, user: User) -> None:
    guess = {"login": user.email, "password": "a guess"}
    for _ in range(5):
        client.post(reverse("account_login"), guess)

    answer = sign_in(client, user)

    assertContains(answer, TOO_MANY, count=1)
    assert get_user(client).is_anonymous


def test_a_code_of_the_second_step_is_good_once(client: Client, user: User) -> None:
    give_app(user)
    code = code_of()
    sign_in(client, user, code)
    other = Client()

    answer = sign_in(other, user, code)

    assert get_user(client) == user
    assertContains(answer, WAS_USED, count=1)
    assert get_user(other).is_anonymous


@pytest.mark.parametrize("path", ["/", "/sitemap.xml", "/api/products/"])
def test_pages_and_api_answer(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200
