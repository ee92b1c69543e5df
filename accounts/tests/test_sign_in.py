import pytest
from django.contrib.auth import get_user
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains, assertRedirects, assertTemplateUsed

from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

WRONG = "The email address and/or password you specified are not correct."


def sign_in(client: Client, email: str, password: str = PASSWORD) -> HttpResponseBase:
    return client.post(reverse("account_login"), {"login": email, "password": password})


@pytest.mark.parametrize("email", ["reader@example.com", "READER@Example.com"])
def test_signing_in_does_not_ask_for_the_case_of_the_address(client: Client, email: str) -> None:
    user = UserFactory(email="Reader@example.com", password=PASSWORD)

    response = sign_in(client, email)

    assertRedirects(response, reverse("shop:home"))
    assert get_user(client) == user


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client: Client) -> None:
    UserFactory(email="reader@example.com", password=PASSWORD)

    for email, password in [
        ("reader@example.com", PASSWORD.upper()),
        ("nobody@example.com", PASSWORD),
    ]:
        response = sign_in(client, email, password)

        assertTemplateUsed(response, "account/login.html")
        assertContains(response, WRONG, count=1)
        assert get_user(client).is_anonymous


def test_an_inactive_user_is_told_so_and_not_signed_in(client: Client) -> None:
    UserFactory(email="reader@example.com", password=PASSWORD, is_active=False)

    response = sign_in(client, "reader@example.com")

    assertRedirects(response, reverse("account_inactive"))
    assert get_user(client).is_anonymous


def test_only_who_knows_the_password_learns_that_an_account_is_inactive(client: Client) -> None:
    UserFactory(email="reader@example.com", password=PASSWORD, is_active=False)

    response = sign_in(client, "reader@example.com", "not the password")

    assertContains(response, WRONG, count=1)
    assert get_user(client).is_anonymous


def test_a_user_who_is_made_inactive_is_signed_out_at_once(client: Client) -> None:
    user = UserFactory(password=PASSWORD)
    sign_in(client, user.email)

    user.is_active = False
    user.save()

    assert get_user(client).is_anonymous


@pytest.mark.parametrize("name", ["account_login", "account_signup"])
@pytest.mark.parametrize("where", ["/cart/", "/search/?q=tea", "http://testserver/cart/"])
def test_one_comes_back_to_where_one_was(client: Client, name: str, where: str) -> None:
    UserFactory(email="reader@example.com", password=PASSWORD)
    data = {
        "account_login": {"login": "reader@example.com", "password": PASSWORD},
        "account_signup": {"email": "new@example.com", "password1": PASSWORD},
    }[name]

    response = client.post(reverse(name), data | {"next": where})

    assertRedirects(response, where, fetch_redirect_response=False)


@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_logout"])
@pytest.mark.parametrize(
    "evil",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        r"/\evil.example/",
        r"\\evil.example/",
        "https:evil.example",
        "http://testserver@evil.example/",
        "http://testserver.evil.example/",
        "javascript:alert(1)",
        "\x08//evil.example/",
        " //evil.example/",
    ],
)
def test_nobody_is_sent_to_another_site(client: Client, name: str, evil: str) -> None:
    user = UserFactory(email="reader@example.com", password=PASSWORD)
    data = {
        "account_login": {"login": "reader@example.com", "password": PASSWORD},
        "account_signup": {"email": "new@example.com", "password1": PASSWORD},
        "account_logout": {},
    }[name]
    if name == "account_logout":
        client.force_login(user)

    in_form = client.post(reverse(name), data | {"next": evil})
    in_address = client.get(reverse(name), {"next": evil})

    assertRedirects(in_form, "/", fetch_redirect_response=False)
    assert in_address.status_code in {200, 302}
    assert in_address.headers.get("Location", "/") == "/"


def test_an_unsafe_address_is_not_carried_to_sign_up(client: Client) -> None:
    page = client.get(reverse("account_login"), {"next": "https://evil.example/"})

    assertContains(page, 'href="/accounts/signup/"')


def test_a_safe_address_is_carried_to_sign_up(client: Client) -> None:
    page = client.get(reverse("account_login"), {"next": "/cart/"})

    assertContains(page, 'href="/accounts/signup/?next=%2Fcart%2F"')
    assertContains(page, '<input type="hidden" name="next" value="/cart/" />', html=True)


def test_looking_at_the_page_does_not_sign_out_but_its_button_does(client: Client) -> None:
    user = UserFactory()
    client.force_login(user)

    page = client.get(reverse("account_logout"))

    assertTemplateUsed(page, "account/logout.html")
    assert get_user(client) == user

    response = client.post(reverse("account_logout"))

    assertRedirects(response, reverse("shop:home"))
    assert get_user(client).is_anonymous


@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_logout"])
def test_a_form_from_elsewhere_is_refused(name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    user = UserFactory()
    if name == "account_logout":
        client.force_login(user)

    response = client.post(reverse(name), {"login": user.email, "password": PASSWORD})

    assert response.status_code == 403
    assert get_user(client).is_authenticated == (name == "account_logout")
