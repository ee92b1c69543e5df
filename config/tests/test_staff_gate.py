"""What a sign-in must be before any page of the admin answers, and any of the API for staff."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth import get_user
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_script_prefix
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse
from pytest_django import Settings
from pytest_django.asserts import assertContains, assertRedirects

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.second_step import code_of, give_app, grow_old, sign_in
from accounts.tests.tokens import caller_as
from api.tests.calls import Caller, assert_problem
from config.tests.api_surface import SURFACE, Row
from shop.models import Category

pytestmark = pytest.mark.django_db
SET_UP = "/accounts/two-steps/app/"
SIGN_IN = "/accounts/login/"
FOR_STAFF = [row for row in SURFACE if row.path.startswith("admin/")]


@pytest.fixture
def factor(settings: Settings) -> None:
    """The setting of a real shop, and codes that do not change while a test runs."""
    settings.STAFF_SECOND_FACTOR = True
    settings.MFA_TOTP_PERIOD = 24 * 3600


@pytest.fixture
def clerk() -> User:
    """A superuser with a password, so that nothing else can refuse him."""
    user: User = UserFactory(password=PASSWORD, is_staff=True, is_superuser=True)
    return user


def addresses() -> list[str]:
    """Return an address for every pattern below /admin/, whoever mounted it there."""
    found = {f"/{route}" for route in _routes(get_resolver(), "")}
    return sorted(address for address in found if address.startswith("/admin/"))


def _routes(resolver: URLResolver, before: str) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = before + _filled(str(pattern.pattern))
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from _routes(pattern, route)


def _filled(route: str) -> str:
    """Return a route of Django's with something in the place of all that varies."""
    route = re.sub(r"\(\?P<app_label>\(?(\w+)[^)]*\)+", r"\1", route)
    route = re.sub(r"\(\?P<\w+>[^)]*\)|<uuid:\w+>|<[^>]*>", "1", route)
    return re.sub(r"^\^|\\Z|\$$", "", route)


def test_no_page_of_the_admin_answers_staff_without_a_second_step(
    client: Client, factor: None, clerk: User
) -> None:
    client.force_login(clerk)
    walked = addresses()

    answers = {address: client.get(address) for address in walked}

    assert len(walked) > 150
    assert {reverse("admin:index"), reverse("doctor"), reverse("admin:jsi18n")} <= set(walked)
    assert all(resolve(address) for address in walked)
    assert {
        address: answer.headers.get("Location")
        for address, answer in answers.items()
        if not answer.headers.get("Location", "").startswith(f"{SET_UP}?next=%2Fadmin%2F")
    } == {}


def test_a_header_that_moves_the_site_does_not_move_its_admin_out_of_sight(
    client: Client, factor: None, clerk: User
) -> None:
    """What gunicorn makes of `SCRIPT_NAME: /x` and of the address /x/admin/."""
    client.force_login(clerk)

    with override_script_prefix("/x/"):
        answer = client.get("/admin/", SCRIPT_NAME="/x")

    assert answer["Location"] == "/x/accounts/two-steps/app/?next=%2Fx%2Fadmin%2F"


def test_nor_does_any_page_do_anything_for_them(client: Client, factor: None, clerk: User) -> None:
    client.force_login(clerk)

    answer = client.post(
        reverse("admin:shop_category_add"), {"name": "Poetry", "slug": "poetry", "position": 0}
    )

    assertRedirects(answer, f"{SET_UP}?next=%2Fadmin%2F")
    assert not Category.objects.exists()


def test_who_has_set_it_up_works_on_where_he_wanted_to(
    client: Client, factor: None, clerk: User
) -> None:
    sign_in(client, clerk)
    asked = client.get("/admin/accounts/user/?q=ada", follow=True)
    assertContains(asked, "Staff sign in with two steps, because")
    form = asked.context

    answer = client.post(
        reverse("mfa_activate_totp"),
        {"code": code_of(form["form"].secret), "next": form["next"]},
        follow=True,
    )

    assertContains(answer, 'href="/admin/accounts/user/?q=ada"', count=1)
    assert client.get("/admin/accounts/user/?q=ada").status_code == 200


def test_staff_with_a_second_step_sign_in_to_the_admin_by_it(
    client: Client, factor: None, clerk: User
) -> None:
    give_app(clerk)
    login = client.get("/admin/orders/order/", follow=True)
    assert login.redirect_chain[-1][0] == f"{SIGN_IN}?next=%2Fadmin%2Forders%2Forder%2F"

    answer = sign_in(client, clerk, code_of(), next="/admin/orders/order/")

    assertRedirects(answer, "/admin/orders/order/")


def test_a_sign_in_by_the_password_alone_does_not_profit_from_an_app_set_up_elsewhere(
    client: Client, factor: None, clerk: User
) -> None:
    sign_in(client, clerk)
    give_app(clerk)

    answer = client.get("/admin/")

    assertRedirects(answer, f"{SIGN_IN}?next=%2Fadmin%2F", fetch_redirect_response=False)
    assert get_user(client).is_anonymous


def test_nor_does_one_that_was_proved_by_an_app_which_is_no_longer_used(
    client: Client, factor: None, clerk: User
) -> None:
    give_app(clerk)
    sign_in(client, clerk, code_of())
    assert client.get("/admin/").status_code == 200

    Authenticator.objects.all().delete()
    give_app(clerk)

    assertRedirects(
        client.get("/admin/"), f"{SIGN_IN}?next=%2Fadmin%2F", fetch_redirect_response=False
    )


def test_shoppers_are_not_asked_for_a_second_step(client: Client, factor: None) -> None:
    client.force_login(UserFactory())

    assert client.get("/accounts/").status_code == 200
    assert client.get("/admin/", follow=True).status_code == 403


def test_staff_shop_without_a_second_step(client: Client, factor: None, clerk: User) -> None:
    client.force_login(clerk)

    assert client.get("/cart/").status_code == 200


@pytest.mark.parametrize(("hours", "is_asked"), [(7.9, False), (8.1, True)])
def test_staff_sign_in_again_after_so_many_hours(
    client: Client, clerk: User, settings: Settings, hours: float, is_asked: bool
) -> None:
    assert settings.STAFF_SESSION_HOURS == 8
    client.force_login(clerk)
    grow_old(client, hours)

    answer = client.get("/admin/accounts/user/?q=ada")

    assert answer.status_code == (302 if is_asked else 200)
    assert get_user(client).is_anonymous == is_asked
    if is_asked:
        wanted = f"{SIGN_IN}?next=%2Fadmin%2Faccounts%2Fuser%2F%3Fq%3Dada"
        assertRedirects(answer, wanted, fetch_redirect_response=False)
        assertContains(client.get(wanted), "Please sign in again", count=1)
        back = sign_in(client, clerk, next="/admin/accounts/user/?q=ada")
        assertRedirects(back, "/admin/accounts/user/?q=ada")


def test_a_second_step_makes_no_old_sign_in_young(
    client: Client, factor: None, clerk: User
) -> None:
    give_app(clerk)
    sign_in(client, clerk, code_of())
    grow_old(client, hours=9)

    assert client.get("/admin/")["Location"].startswith(SIGN_IN)


def test_no_page_of_the_admin_answers_an_old_sign_in(client: Client, clerk: User) -> None:
    for address in addresses():
        client.force_login(clerk)
        grow_old(client, hours=9)

        assert client.get(address)["Location"].startswith(f"{SIGN_IN}?next=%2Fadmin%2F"), address


def test_a_shopper_who_is_promoted_signs_in_again_if_he_has_been_there_for_long(
    client: Client,
) -> None:
    user = UserFactory(password=PASSWORD)
    sign_in(client, user)
    grow_old(client, hours=9)
    assert client.get("/accounts/").status_code == 200

    User.objects.update(is_staff=True, is_superuser=True)

    assert client.get("/accounts/").status_code == 200
    assert client.get("/admin/")["Location"].startswith(SIGN_IN)


def test_a_sign_in_that_does_not_say_when_it_was_counts_as_old(client: Client, clerk: User) -> None:
    client.force_login(clerk)
    session = client.session
    del session["signed_in_at"]
    session.save()

    assert client.get("/admin/")["Location"].startswith(SIGN_IN)


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("http://testserver/admin/orders/order/?q=1#top", "/admin/orders/order/?q=1"),
        ("http://testserver/cart/", "/admin/"),
        ("https://evil.example/admin/", "/admin/"),
        ("http://testserver//evil.example/", "/admin/"),
        ("", "/admin/"),
    ],
)
def test_a_form_that_came_too_late_leads_back_to_its_page_and_does_nothing(
    client: Client, clerk: User, before: str, wanted: str
) -> None:
    client.force_login(clerk)
    grow_old(client, hours=9)

    answer = client.post(
        reverse("admin:shop_category_add"),
        {"name": "Poetry", "slug": "poetry", "position": 0},
        headers={"Referer": before},
    )

    assertRedirects(answer, reverse("account_login", query={"next": wanted}))
    assert not Category.objects.exists()


def test_a_dialog_that_came_too_late_leaves_its_page(client: Client, clerk: User) -> None:
    client.force_login(clerk)
    grow_old(client, hours=9)
    page = "/admin/accounts/user/1/change/"

    answer = client.get(
        reverse("admin:accounts_user_changelist"),
        headers={"HX-Request": "true", "Referer": f"http://testserver{page}"},
    )

    assert answer.headers["HX-Redirect"] == reverse("account_login", query={"next": page})


def test_one_signs_out_of_the_admin_also_when_it_is_late(client: Client, clerk: User) -> None:
    client.force_login(clerk)
    grow_old(client, hours=9)

    answer = client.post(reverse("admin:logout"))

    assert answer.status_code == 200
    assert get_user(client).is_anonymous


@pytest.mark.parametrize("evil", ["https://evil.example/", "//evil.example/", r"/\evil.example/"])
def test_signing_in_to_the_admin_leads_to_no_other_site(
    client: Client, clerk: User, evil: str
) -> None:
    login = client.get(reverse("admin:login", query={"next": evil}), follow=True)
    data = {
        "login": clerk.email,
        "password": PASSWORD,
        "next": login.context["redirect_field_value"],
    }

    answer = client.post(SIGN_IN, data, follow=True)

    hosts = {urlsplit(address).netloc for address, _status in answer.redirect_chain}
    assert (hosts, answer.redirect_chain[-1][0]) == ({""}, "/admin/")


@pytest.mark.parametrize("row", FOR_STAFF, ids=str)
def test_the_api_does_not_answer_staff_without_a_second_step(
    row: Row, factor: None, clerk: User
) -> None:
    path = re.sub(r"\{\w+\}", "1", row.path.replace("{user}", str(clerk.public_id)))

    by_token = caller_as(clerk).call(row.method, path, {})

    assert_problem(by_token, 403, "second_factor_missing")


def test_nor_by_the_session_of_the_pages(client: Client, factor: None, clerk: User) -> None:
    client.force_login(clerk)

    assert_problem(client.get("/api/admin/users/"), 403, "second_factor_missing")


def test_the_api_answers_staff_who_proved_it_by_page_and_token(
    client: Client, factor: None, clerk: User
) -> None:
    codes = give_app(clerk)
    sign_in(client, clerk, codes[0])
    body = {"email": clerk.email, "password": PASSWORD, "code": codes[1]}
    tokens = Caller().post("auth/login/", body).json()

    bearer = Caller(Authorization=f"Bearer {tokens['access_token']}")

    assert client.get("/api/admin/users/").status_code == 200
    assert bearer.get("admin/users/").status_code == 200


def test_a_refreshed_token_is_as_good_as_the_sign_in(factor: None, clerk: User) -> None:
    codes = give_app(clerk)
    body = {"email": clerk.email, "password": PASSWORD, "code": codes[1]}
    tokens = Caller().post("auth/login/", body).json()

    tokens = Caller().post("auth/refresh/", {"refresh_token": tokens["refresh_token"]}).json()

    bearer = Caller(Authorization=f"Bearer {tokens['access_token']}")
    assert bearer.get("admin/users/").status_code == 200


def test_a_token_got_without_the_second_step_does_not_profit_from_one_set_up_since(
    factor: None, clerk: User
) -> None:
    bearer = caller_as(clerk)

    give_app(clerk)

    assert_problem(bearer.get("admin/users/"), 403, "sign_in_again")
    assert bearer.get("auth/me/").status_code == 200


def test_the_api_has_staff_sign_in_again_after_so_many_hours(client: Client, clerk: User) -> None:
    client.force_login(clerk)
    grow_old(client, hours=9)

    assert_problem(client.get("/api/admin/users/"), 403, "sign_in_again")
    assert client.get("/api/auth/me/").status_code == 200


def test_who_is_not_staff_learns_nothing_of_second_steps(factor: None) -> None:
    shopper = UserFactory()
    shopper.user_permissions.set(Permission.objects.all())

    assert_problem(caller_as(shopper).get("admin/users/"), 403, "forbidden")


def test_asking_costs_one_query_more(
    client: Client, factor: None, clerk: User, settings: Settings
) -> None:
    give_app(clerk)
    sign_in(client, clerk, code_of())
    client.get("/admin/accounts/user/")

    counts = []
    for is_on in (False, True):
        settings.STAFF_SECOND_FACTOR = is_on
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/admin/accounts/user/").status_code == 200
        counts.append(len(queries))

    assert counts[1] - counts[0] == 1
