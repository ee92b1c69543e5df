"""Every page of sign-in is the shop's own, and nothing else of allauth can be reached."""

import re
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.test import Client
from django.urls import NoReverseMatch, reverse
from pytest_django.asserts import assertContains, assertRedirects

from accounts import urls
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.second_step import code_of, give_app, sign_in

pytestmark = pytest.mark.django_db

ARGUMENTS = {
    "account_confirm_email": ["no-such-key"],
    "account_reset_password_from_key": ["1", "no-such-key"],
}
FOR_USERS = {
    "account",
    "account_logout",
    "account_change_password",
    "account_reauthenticate",
    "mfa_index",
    "mfa_activate_totp",
}
FOR_WHO_HAS_AN_APP = {
    "mfa_reauthenticate",
    "mfa_deactivate_totp",
    "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes",
}
# A button, and a file.
NO_PAGES = {"account_confirm_again", "mfa_download_recovery_codes"}
PAGES = [str(pattern.name) for pattern in urls.urlpatterns if pattern.name not in NO_PAGES]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_the_shops_own_and_not_for_search_engines(client: Client, name: str) -> None:
    user = UserFactory(password=PASSWORD)
    if name in FOR_WHO_HAS_AN_APP:
        give_app(user)
        sign_in(client, user, code_of())
    elif name == "mfa_authenticate":
        give_app(user)
        sign_in(client, user)
    elif name in FOR_USERS:
        client.force_login(user)

    response = client.get(reverse(name, args=ARGUMENTS.get(name)))

    assertContains(response, '<meta name="robots" content="noindex">', count=1)
    assertContains(response, "\N{EN DASH} Quire &amp; Quill</title>", count=1)
    assertContains(response, '<h1 class="page__title">', count=1)
    names = [str(template.name) for template in response.templates]
    assert not [name for name in names if name.startswith("allauth/")]
    templates = Path(settings.BASE_DIR / "templates")
    assert all((templates / name).exists() for name in names if name.startswith(("account", "mfa")))


@pytest.mark.parametrize("name", sorted(FOR_WHO_HAS_AN_APP | {"mfa_activate_totp"} | NO_PAGES))
def test_a_page_about_signing_in_is_for_who_has_signed_in(client: Client, name: str) -> None:
    answer = client.post(reverse(name))

    assert answer["Location"].startswith(f"{reverse('account_login')}?next=")


@pytest.mark.parametrize(("is_confirmed", "word"), [(True, "Confirmed"), (False, "Not confirmed")])
def test_the_account_page_joins_address_password_and_orders(
    client: Client, is_confirmed: bool, word: str
) -> None:
    user = UserFactory(email="reader@example.com", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=is_confirmed)
    client.force_login(user)

    response = client.get(reverse("account"))

    assertContains(response, "reader@example.com")
    assertContains(response, f">{word}</span>", count=1)
    for name in ("payments:orders", "account_change_password", "account_logout"):
        assertContains(response, f'href="{reverse(name)}"')


def test_the_account_page_is_for_users(client: Client) -> None:
    path = reverse("account")

    assertRedirects(client.get(path), f"{reverse('account_login')}?next={path}")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("account_login", {"login": "email", "password": "current-password"}),
        ("account_signup", {"email": "email", "password1": "new-password"}),
        ("account_reset_password", {"email": "email"}),
        ("mfa_activate_totp", {"code": "one-time-code"}),
        ("account_reauthenticate", {"password": "current-password"}),
        (
            "account_change_password",
            {
                "oldpassword": "current-password",
                "password1": "new-password",
                "password2": "new-password",
            },
        ),
    ],
)
def test_fields_tell_the_browser_what_they_are_for(
    client: Client, name: str, fields: dict[str, str]
) -> None:
    if name in FOR_USERS:
        client.force_login(UserFactory(password=PASSWORD))

    page = client.get(reverse(name)).content.decode()

    inputs = {re.findall(r'name="(\w+)"', tag)[0]: tag for tag in re.findall(r"<input[^>]*>", page)}
    told = {field: re.findall(r'autocomplete="([^"]+)"', inputs[field]) for field in fields}
    assert told == {field: [purpose] for field, purpose in fields.items()}


@pytest.mark.parametrize(
    "name",
    [
        "account_email",
        "account_email_verification_sent",
        "account_set_password",
        "account_confirm_login_code",
    ],
)
def test_a_page_that_the_shop_does_not_use_has_no_address(name: str) -> None:
    with pytest.raises(NoReverseMatch):
        reverse(name)
