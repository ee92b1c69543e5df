"""Every page of sign-in is the shop's own, and nothing else of allauth can be reached."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import NoReverseMatch, reverse
from pytest_django.asserts import assertContains, assertRedirects

from accounts import urls
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

ARGUMENTS = {
    "account_confirm_email": ["no-such-key"],
    "account_reset_password_from_key": ["1", "no-such-key"],
}
FOR_USERS = {"account", "account_logout", "account_change_password"}


@pytest.mark.parametrize("name", [pattern.name for pattern in urls.urlpatterns])
def test_a_page_is_the_shops_own_and_not_for_search_engines(client: Client, name: str) -> None:
    if name in FOR_USERS:
        client.force_login(UserFactory(password=PASSWORD))

    response = client.get(reverse(name, args=ARGUMENTS.get(name)))

    assertContains(response, '<meta name="robots" content="noindex">', count=1)
    assertContains(response, "\N{EN DASH} Quire &amp; Quill</title>", count=1)
    assertContains(response, '<h1 class="page__title">', count=1)
    names = [str(template.name) for template in response.templates]
    assert not [name for name in names if name.startswith("allauth/")]


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
        "account_reauthenticate",
        "account_set_password",
        "account_confirm_login_code",
    ],
)
def test_a_page_that_the_shop_does_not_use_has_no_address(name: str) -> None:
    with pytest.raises(NoReverseMatch):
        reverse(name)
