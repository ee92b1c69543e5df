import re
from html import unescape

import pytest
from django.contrib.auth import get_user
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags
from pytest_django.asserts import assertContains, assertRedirects, assertTemplateUsed

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "an even longer walk by the sea"


def ask_for_a_link(client: Client, email: str) -> HttpResponseBase:
    return client.post(reverse("account_reset_password"), {"email": email})


def assert_says_the_same(mail: EmailMessage) -> None:
    """Check that the mail's HTML has the link and all the words of its text."""
    assert isinstance(mail, EmailMultiAlternatives)
    ((html, mimetype),) = mail.alternatives
    assert mimetype == "text/html"
    shown = " ".join(unescape(strip_tags(str(html))).split())
    for paragraph in str(mail.body).split("\n\n")[:-1]:
        assert paragraph in (str(html) if paragraph.startswith("http") else shown)


def path_in(mail: EmailMessage) -> str:
    (path,) = re.findall(r"http://testserver(/accounts/password/\S+)", str(mail.body))
    return str(path)


def has_password(user: User, password: str) -> bool:
    user.refresh_from_db()
    return user.check_password(password)


def test_the_link_of_the_mail_changes_the_password_once(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    user = UserFactory(email="reader@example.com", password=PASSWORD)
    assertRedirects(
        ask_for_a_link(client, "Reader@Example.com"), reverse("account_reset_password_done")
    )
    path = path_in(mailoutbox[0])

    page = client.get(path, follow=True)
    assertTemplateUsed(page, "account/password_reset_from_key.html")
    # The key is out of the address, so that no other site is told of it.
    (form_path,) = [location for location, _status in page.redirect_chain]
    assert form_path.endswith("-set-password/")
    response = client.post(form_path, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})

    assertRedirects(response, reverse("account_reset_password_from_key_done"))
    assert has_password(user, NEW_PASSWORD)
    assert get_user(client).is_anonymous
    assertContains(Client().get(path), "This link is not valid, or no longer.", count=1)


def test_the_mail_with_the_link_names_the_shop_and_says_it_in_html_too(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    UserFactory(email="reader@example.com", password=PASSWORD)

    ask_for_a_link(client, "reader@example.com")

    (mail,) = mailoutbox
    assert (mail.to, mail.subject) == (
        ["reader@example.com"],
        "Quire & Quill: Choose a new password",
    )
    assert mail.content_subtype == "plain"
    assert_says_the_same(mail)
    assert re.fullmatch(
        r"Hello,\n\n"
        r"somebody, probably you, asked for a new password for your account at Quire & Quill\. "
        r"Choose it here:\n\n"
        r"http://testserver/accounts/password/reset/key/\w+-\w+-\w+/\n\n"
        r"If it was not you, you need not do anything: your password stays as it is\.\n\n"
        r"Quire & Quill\nhttp://testserver",
        str(mail.body),
    )


@pytest.mark.parametrize("is_known", [True, False])
def test_the_page_does_not_tell_whether_an_account_exists(
    client: Client, mailoutbox: list[EmailMessage], is_known: bool
) -> None:
    if is_known:
        UserFactory(email="reader@example.com", password=PASSWORD)

    response = ask_for_a_link(client, "reader@example.com")

    assertRedirects(response, reverse("account_reset_password_done"))
    assert [mail.to for mail in mailoutbox] == [["reader@example.com"]]


def test_an_address_without_an_account_is_told_so_by_mail(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    ask_for_a_link(client, "nobody@example.com")

    (mail,) = mailoutbox
    assert mail.subject == "Quire & Quill: There is no account with this address"
    assert_says_the_same(mail)
    assert str(mail.body) == (
        "Hello,\n\n"
        "somebody, probably you, asked Quire & Quill for a new password for nobody@example.com. "
        "There is no account with this address. You may have used another one, or you can create "
        "an account here:\n\n"
        "http://testserver/accounts/signup/\n\n"
        "If it was not you, you need not do anything.\n\n"
        "Quire & Quill\nhttp://testserver"
    )


def test_an_inactive_user_gets_no_link(client: Client, mailoutbox: list[EmailMessage]) -> None:
    UserFactory(email="reader@example.com", password=PASSWORD, is_active=False)

    ask_for_a_link(client, "reader@example.com")

    assert "password/reset" not in str(mailoutbox[0].body)


def test_a_link_that_was_altered_changes_nothing(
    client: Client, mailoutbox: list[EmailMessage]
) -> None:
    user = UserFactory(email="reader@example.com", password=PASSWORD)
    other = UserFactory(password=PASSWORD)
    ask_for_a_link(client, "reader@example.com")
    path = path_in(mailoutbox[0])
    key = path.split("-", 1)[1].rstrip("/")
    of_other = reverse("account_reset_password_from_key", args=["zz", key]).replace(
        "zz-", f"{other.pk}-"
    )

    for altered in (path[:-2] + ("x" if path[-2] != "x" else "y") + "/", of_other):
        page = client.get(altered)
        answer = client.post(altered, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})

        assertContains(page, "This link is not valid, or no longer.", count=1)
        assertContains(answer, "This link is not valid, or no longer.", count=1)

    assert has_password(user, PASSWORD)
    assert has_password(other, PASSWORD)


def test_changing_the_password_keeps_this_session_and_ends_the_others(client: Client) -> None:
    user = UserFactory(password=PASSWORD)
    client.force_login(user)
    elsewhere = Client()
    elsewhere.force_login(user)

    response = client.post(
        reverse("account_change_password"),
        {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )

    assertRedirects(response, reverse("account_change_password"))
    assert has_password(user, NEW_PASSWORD)
    assert get_user(client) == user
    assert get_user(elsewhere).is_anonymous


@pytest.mark.parametrize(
    ("old", "new", "again", "message"),
    [
        ("not the password", NEW_PASSWORD, NEW_PASSWORD, "Please type your current password."),
        (PASSWORD, NEW_PASSWORD, PASSWORD, "You must type the same password each time."),
        (PASSWORD, "short", "short", "This password is too short."),
    ],
)
def test_a_password_is_not_changed_by_a_wrong_form(
    client: Client, old: str, new: str, again: str, message: str
) -> None:
    user = UserFactory(password=PASSWORD)
    client.force_login(user)

    response = client.post(
        reverse("account_change_password"),
        {"oldpassword": old, "password1": new, "password2": again},
    )

    assertContains(response, message, count=1)
    assert has_password(user, PASSWORD)


def test_a_visitor_has_to_sign_in_before_changing_a_password(client: Client) -> None:
    path = reverse("account_change_password")

    response = client.get(path)

    assertRedirects(response, f"{reverse('account_login')}?next={path}")
