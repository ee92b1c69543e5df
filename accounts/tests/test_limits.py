"""Each of ACCOUNT_RATE_LIMITS: the last try that is let through, the first that is not."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user
from django.core.mail import EmailMessage
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains, assertTemplateUsed

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

WRONG = "The email address and/or password you specified are not correct."
TOO_MANY = "Too many failed login attempts. Try again later."


def sign_in(client: Client, email: str, password: str, **environ: Any) -> HttpResponseBase:
    data = {"login": email, "password": password}
    return client.post(reverse("account_login"), data, **environ)


def ask_for_a_link(client: Client, email: str, **environ: Any) -> HttpResponseBase:
    return client.post(reverse("account_reset_password"), {"email": email}, **environ)


def assert_refused(response: HttpResponseBase) -> None:
    assertTemplateUsed(response, "429.html")
    assert response.status_code == 429


def test_one_address_posts_to_the_sign_in_page_30_times_a_minute(client: Client) -> None:
    user = UserFactory(password=PASSWORD)
    for _ in range(30):
        assert client.post(reverse("account_login"), {}).status_code == 200

    response = sign_in(client, user.email, PASSWORD)

    assert_refused(response)
    assert get_user(client).is_anonymous


def test_one_address_guesses_10_times_a_minute_whomever_it_asks_for(client: Client) -> None:
    user = UserFactory(password=PASSWORD)
    for n in range(10):
        assertContains(sign_in(client, f"guess-{n}@example.com", "a guess"), WRONG, count=1)

    response = sign_in(client, user.email, PASSWORD)

    assertContains(response, TOO_MANY, count=1)
    assert get_user(client).is_anonymous


def test_an_account_is_guessed_at_5_times_in_5_minutes_from_wherever(client: Client) -> None:
    user = UserFactory(email="reader@example.com", password=PASSWORD)
    for n in range(5):
        # Another case is the same account.
        email = "Reader@example.com" if n % 2 else "reader@example.com"
        answer = sign_in(client, email, "a guess", REMOTE_ADDR=f"192.0.2.{n}")
        assertContains(answer, WRONG, count=1)

    response = sign_in(client, user.email, PASSWORD, REMOTE_ADDR="192.0.2.99")

    assertContains(response, TOO_MANY, count=1)
    assert get_user(client).is_anonymous


def test_signing_in_well_does_not_count_as_a_guess(client: Client) -> None:
    user = UserFactory(password=PASSWORD)
    for _ in range(11):
        assert sign_in(client, user.email, PASSWORD).status_code == 302
        client.logout()

    assert sign_in(client, user.email, PASSWORD).status_code == 302
    assert get_user(client) == user


def test_one_address_signs_up_10_times_in_10_minutes(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    for _ in range(10):
        assert client.post(reverse("account_signup"), {}).status_code == 200

    response = client.post(
        reverse("account_signup"), {"email": "reader@example.com", "password1": PASSWORD}
    )

    assert_refused(response)
    assert (User.objects.count(), EmailAddress.objects.count(), len(mailoutbox)) == (0, 0, 0)


def test_one_address_asks_for_10_reset_mails_in_10_minutes(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    for n in range(10):
        assert ask_for_a_link(client, f"reader-{n}@example.com").status_code == 302

    response = ask_for_a_link(client, "one-more@example.com")

    assert_refused(response)
    assert len(mailoutbox) == 10


def test_a_mailbox_gets_3_reset_mails_an_hour_from_wherever(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    for n, email in enumerate(["reader@example.com", "READER@example.com", "reader@Example.com"]):
        assert ask_for_a_link(client, email, REMOTE_ADDR=f"192.0.2.{n}").status_code == 302

    response = ask_for_a_link(client, "reader@example.com", REMOTE_ADDR="192.0.2.99")

    assert_refused(response)
    assert len(mailoutbox) == 3


def test_one_address_tries_20_reset_links_a_minute(client: Client) -> None:
    path = reverse("account_reset_password_from_key", args=["1", "a-guess"])
    for _ in range(20):
        assert client.post(path).status_code == 200

    assert_refused(client.post(path))


def test_a_user_tries_5_times_a_minute_to_change_the_password(client: Client) -> None:
    user = UserFactory(password=PASSWORD)
    client.force_login(user)
    path = reverse("account_change_password")
    for _ in range(5):
        assert client.post(path, {"oldpassword": "a guess"}).status_code == 200

    new = "an even longer walk by the sea"
    response = client.post(path, {"oldpassword": PASSWORD, "password1": new, "password2": new})

    assert_refused(response)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_a_header_that_anybody_can_send_does_not_make_another_address(client: Client) -> None:
    for n in range(10):
        ask_for_a_link(client, f"reader-{n}@example.com", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}")

    response = ask_for_a_link(client, "more@example.com", HTTP_X_FORWARDED_FOR="192.0.2.99")

    assert_refused(response)


def test_looking_at_the_pages_is_not_limited(client: Client) -> None:
    for _ in range(31):
        assert client.get(reverse("account_login")).status_code == 200
