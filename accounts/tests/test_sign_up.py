import re

import pytest
from allauth.account.models import EmailAddress
from allauth.core.context import request_context
from django.contrib.auth import get_user
from django.core.mail import EmailMessage
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from pytest_django.asserts import assertContains, assertRedirects, assertTemplateUsed

from accounts.forms import SignupForm
from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.test_passwords import assert_says_the_same

pytestmark = pytest.mark.django_db

TAKEN = "A user is already registered with this email address."


def sign_up(client: Client, email: str, password: str = PASSWORD) -> HttpResponseBase:
    data = {"email": email, "password1": password}
    return client.post(reverse("account_signup"), data)


def test_signing_up_makes_an_account_and_signs_in(client: Client) -> None:
    response = sign_up(client, "New.Reader@Example.com")

    assertRedirects(response, reverse("shop:home"))
    user = User.objects.get()
    assert (user.email, user.is_active, user.is_staff, user.is_superuser) == (
        "new.reader@example.com",
        True,
        False,
        False,
    )
    assert user.check_password(PASSWORD)
    assert get_user(client) == user


def test_the_mail_after_signing_up_names_the_shop_and_says_it_in_html_too(
    client: Client, mailoutbox: list[EmailMessage], settings: Settings
) -> None:
    sign_up(client, "reader@example.com")

    (mail,) = mailoutbox
    assert mail.to == ["reader@example.com"]
    assert mail.from_email == settings.DEFAULT_FROM_EMAIL
    assert mail.subject == "Quire & Quill: Please confirm your e-mail address"
    assert mail.content_subtype == "plain"
    assert_says_the_same(mail)
    assert re.fullmatch(
        r"Hello,\n\n"
        r"an account at Quire & Quill was made with this e-mail address\. If it was you, please "
        r"confirm that the address is yours:\n\n"
        r"http://testserver/accounts/confirm-email/[-:\w]+/\n\n"
        r"If it was not you, you need not do anything\.\n\n"
        r"Quire & Quill\nhttp://testserver",
        str(mail.body),
    )


@pytest.mark.parametrize("email", ["reader@example.com", "Reader@Example.COM"])
def test_an_address_that_has_an_account_is_refused_in_any_case(
    client: Client, mailoutbox: list[EmailMessage], email: str
) -> None:
    UserFactory(email="reader@example.com")

    response = sign_up(client, email)

    assertContains(response, TAKEN, count=1)
    assert get_user(client).is_anonymous
    assert (User.objects.count(), EmailAddress.objects.count(), len(mailoutbox)) == (1, 0, 0)


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [
        ("reader@example.com", "short", "This password is too short."),
        ("reader@example.com", "password123", "This password is too common."),
        ("readerofbooks@example.com", "readerofbooks1", "The password is too similar to the"),
        ("reader", PASSWORD, "Enter a valid email address."),
        ("", PASSWORD, "This field is required."),
    ],
)
def test_a_weak_password_or_a_bad_address_is_refused(
    client: Client, mailoutbox: list[EmailMessage], email: str, password: str, message: str
) -> None:
    response = sign_up(client, email, password)

    assertContains(response, message, count=1)
    assert (User.objects.count(), EmailAddress.objects.count(), len(mailoutbox)) == (0, 0, 0)


def test_of_a_form_sent_twice_at_once_one_makes_the_account(client: Client) -> None:
    request = client.get(reverse("account_signup")).wsgi_request
    form = SignupForm({"email": "reader@example.com", "password1": PASSWORD})
    assert form.is_valid()
    # The other one, between the check and the writing.
    UserFactory(email="reader@example.com")

    with request_context(request):
        user, response = form.try_save(request)

    assert user is None
    assert response is not None
    assert (response.status_code, response["Location"]) == (302, reverse("account_login"))
    assert (User.objects.count(), EmailAddress.objects.count()) == (1, 0)


def test_the_link_of_the_mail_confirms_the_address_after_a_click(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    sign_up(client, "reader@example.com")
    (path,) = re.findall(r"http://testserver(\S+confirm-email\S+)", str(mailoutbox[0].body))

    # A mail scanner that follows links confirms nothing.
    page = Client().get(path)
    assertTemplateUsed(page, "account/email_confirm.html")
    assertContains(page, "Is reader@example.com yours?", count=1)
    assert not EmailAddress.objects.get().verified

    response = Client().post(path)

    assertRedirects(response, reverse("account_login"))
    assert EmailAddress.objects.get().verified


def test_a_link_that_was_altered_confirms_nothing(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    sign_up(client, "reader@example.com")
    (key,) = re.findall(r"confirm-email/(\S+)/", str(mailoutbox[0].body))
    path = reverse("account_confirm_email", args=[key[:-1] + ("a" if key[-1] != "a" else "b")])

    page = client.get(path)
    answer = client.post(path)

    assertContains(page, "This link is not valid, or no longer.", count=1)
    assert answer.status_code == 404
    assert not EmailAddress.objects.get().verified
