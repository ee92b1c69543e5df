"""Every page of sign-in is the shop's own, and nothing else of allauth can be reached."""

import pytest
from django.test import Client
from django.urls import NoReverseMatch, reverse
from pytest_django.asserts import assertContains

from accounts import urls
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

ARGUMENTS = {
    "account_confirm_email": ["no-such-key"],
    "account_reset_password_from_key": ["1", "no-such-key"],
}
FOR_USERS = {"account_logout", "account_change_password"}


@pytest.mark.parametrize("name", [pattern.name for pattern in urls.urlpatterns])
def test_a_page_is_the_shops_own_and_not_for_search_engines(client: Client, name: str) -> None:
    if name in FOR_USERS:
        client.force_login(UserFactory(password=PASSWORD))

    response = client.get(reverse(name, args=ARGUMENTS.get(name)))

    assertContains(response, '<meta name="robots" content="noindex">', count=1)
    assertContains(response, "· Quire &amp; Quill</title>", count=1)
    assertContains(response, '<h1 class="page__title">', count=1)
    names = [str(template.name) for template in response.templates]
    assert not [name for name in names if name.startswith("allauth/")]


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
