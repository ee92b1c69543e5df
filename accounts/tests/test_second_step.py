"""Signing in with two steps, and setting that up, on the pages."""

import re
from contextlib import nullcontext
from html.parser import HTMLParser
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth import get_user
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.second_step import (
    SECRET,
    WRONG_CODE,
    code_of,
    give_app,
    grow_old,
    sign_in,
)

pytestmark = pytest.mark.django_db
WRONG = "This code is wrong, or was used before."
TOO_MANY = "Too many failed login attempts. Try again later."
OTHER_SECRET = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"


@pytest.fixture
def ada() -> User:
    user: User = UserFactory(email="ada@example.com", password=PASSWORD)
    return user


@pytest.fixture
def commit(django_capture_on_commit_callbacks: Any) -> Any:
    """Let what waits for the commit happen, which a test never does."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def apps_of(user: User) -> list[Authenticator]:
    return list(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP))


def set_up(client: Client, commit: Any, **data: Any) -> Any:
    """Look at the page, type what an app shows, and return its secret and the answer."""
    page = client.get(reverse("mfa_activate_totp"), data)
    secret = page.context["form"].secret
    with commit():
        answer = client.post(reverse("mfa_activate_totp"), data | {"code": code_of(secret)})
    return secret, answer


def test_the_password_alone_signs_nobody_in_who_has_an_app(client: Client, ada: User) -> None:
    give_app(ada)

    answer = sign_in(client, ada)

    assertRedirects(answer, reverse("mfa_authenticate"))
    assert get_user(client).is_anonymous


def test_password_and_code_sign_in_and_lead_where_one_wanted_to_go(
    client: Client, ada: User
) -> None:
    give_app(ada)

    answer = sign_in(client, ada, code_of(), next="/cart/")

    assertRedirects(answer, "/cart/")
    assert get_user(client) == ada


@pytest.mark.parametrize("evil", ["https://evil.example/", "//evil.example/", r"/\evil.example/"])
def test_the_second_step_sends_nobody_to_another_site(client: Client, ada: User, evil: str) -> None:
    give_app(ada)
    client.post(reverse("account_login"), {"login": ada.email, "password": PASSWORD, "next": evil})

    answer = client.post(reverse("mfa_authenticate"), {"code": code_of(), "next": evil})

    assertRedirects(answer, "/", fetch_redirect_response=False)


def test_a_wrong_code_signs_nobody_in_and_is_said_beside_the_field(
    client: Client, ada: User
) -> None:
    give_app(ada)

    answer = sign_in(client, ada, WRONG_CODE)

    assertContains(answer, WRONG, count=1)
    assertContains(answer, 'class="field__error" id="id_code_error"', count=1)
    assert get_user(client).is_anonymous


def test_a_code_of_the_app_is_good_once(client: Client, ada: User) -> None:
    give_app(ada)
    sign_in(client, ada, code_of())
    client.logout()

    answer = sign_in(client, ada, code_of())

    assertContains(answer, WRONG, count=1)
    assert get_user(client).is_anonymous


def test_a_recovery_code_signs_in_once(client: Client, ada: User) -> None:
    codes = give_app(ada)
    assert sign_in(client, ada, codes[3]).status_code == 302
    assert get_user(client) == ada
    client.logout()

    again = sign_in(client, ada, codes[3])

    assertContains(again, WRONG, count=1)
    assert get_user(client).is_anonymous
    assert client.post(reverse("mfa_authenticate"), {"code": codes[4]}).status_code == 302
    assert get_user(client) == ada


def test_codes_are_guessed_at_5_times_in_5_minutes_from_wherever(client: Client, ada: User) -> None:
    codes = give_app(ada)
    sign_in(client, ada)
    for n in range(5):
        answer = client.post(
            reverse("mfa_authenticate"), {"code": f"guess {n}"}, REMOTE_ADDR=f"192.0.2.{n}"
        )
        assertContains(answer, WRONG, count=1)

    for right in (code_of(), codes[0]):
        refused = client.post(
            reverse("mfa_authenticate"), {"code": right}, REMOTE_ADDR="192.0.2.99"
        )
        assertContains(refused, TOO_MANY, count=1)

    assert get_user(client).is_anonymous


def test_a_new_sign_in_gives_no_new_guesses(client: Client, ada: User) -> None:
    give_app(ada)
    for _ in range(5):
        client.logout()
        sign_in(client, ada, WRONG_CODE)

    client.logout()
    refused = sign_in(client, ada, code_of())

    assertContains(refused, TOO_MANY, count=1)
    assert get_user(client).is_anonymous


def test_whoever_is_asked_for_a_code_may_be_somebody_else(client: Client, ada: User) -> None:
    give_app(ada)
    sign_in(client, ada)

    client.post(reverse("account_logout"), {"next": reverse("account_login")})
    other = UserFactory(password=PASSWORD)
    sign_in(client, other)

    assert get_user(client) == other


def test_without_the_password_the_second_step_leads_back_to_the_first(
    client: Client, ada: User
) -> None:
    give_app(ada)

    assertRedirects(
        client.post(reverse("mfa_authenticate"), {"code": code_of()}), reverse("account_login")
    )


def test_a_shopper_sets_up_an_app_and_is_shown_recovery_codes_and_told_by_mail(
    client: Client, ada: User, commit: Any, mailoutbox: list[EmailMessage]
) -> None:
    sign_in(client, ada)

    secret, answer = set_up(client, commit)

    assertRedirects(answer, reverse("mfa_view_recovery_codes"), fetch_redirect_response=False)
    page = client.get(reverse("mfa_view_recovery_codes"))
    assertContains(page, "10 of 10 are left", count=1)
    assert len(re.findall(r"<code>\d{8}</code>", page.content.decode())) == 10
    assert "no-store" in page["Cache-Control"]
    assert [app.wrap().instance.data["secret"] for app in apps_of(ada)] == [secret]
    (mail,) = mailoutbox
    assert mail.to == ["ada@example.com"]
    assert mail.subject == "Quire & Quill: An app makes codes for your sign-in now"
    assert "http://testserver/accounts/password/reset/" in str(mail.body)


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_is_away_keeps_nobody_from_it(
    client: Client, ada: User, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    sign_in(client, ada)

    _, answer = set_up(client, nullcontext)

    assertRedirects(answer, reverse("mfa_view_recovery_codes"))
    assert len(apps_of(ada)) == 1


def test_a_wrong_code_sets_nothing_up_and_keeps_the_key(client: Client, ada: User) -> None:
    sign_in(client, ada)
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret

    answer = client.post(reverse("mfa_activate_totp"), {"code": WRONG_CODE})

    assertContains(answer, WRONG, count=1)
    assert answer.context["form"].secret == secret
    assert not Authenticator.objects.exists()


def test_setting_up_leads_on_to_this_site_alone(client: Client, ada: User, commit: Any) -> None:
    sign_in(client, ada)

    _, wanted = set_up(client, commit, next="/admin/orders/order/?q=1")
    Authenticator.objects.all().delete()
    _, evil = set_up(client, commit, next="https://evil.example/")

    codes = reverse("mfa_view_recovery_codes")
    assertRedirects(
        wanted, f"{codes}?next=%2Fadmin%2Forders%2Forder%2F%3Fq%3D1", fetch_redirect_response=False
    )
    assertContains(client.get(wanted["Location"]), 'href="/admin/orders/order/?q=1"', count=1)
    assertRedirects(evil, codes, fetch_redirect_response=False)
    assertNotContains(client.get(codes, {"next": "https://evil.example/"}), "evil.example")


class _Page(HTMLParser):
    """What the browser policy of the shop would not let run or show."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        inline = [name for name in named if name == "style" or name.startswith("on")]
        if inline or tag == "style" or (tag == "script" and "src" not in named):
            self.refused.append(tag)
        if tag == "img":
            self.pictures.append(named)


def test_the_key_is_a_picture_and_text_and_needs_nothing_that_the_policy_forbids(
    client: Client, ada: User
) -> None:
    sign_in(client, ada)

    answer = client.get(reverse("mfa_activate_totp"))

    page = _Page(answer.content.decode())
    assert page.refused == []
    (picture,) = [each for each in page.pictures if str(each["src"]).startswith("data:")]
    assert str(picture["src"]).startswith("data:image/svg+xml;base64,")
    assert picture["alt"]
    assert "img-src 'self' data:" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    (key,) = re.findall(r"<code>([A-Z2-7 ]+)</code>", answer.content.decode())
    assert key.replace(" ", "") == answer.context["form"].secret
    assert "no-store" in answer["Cache-Control"]


def test_whose_sign_in_was_a_while_ago_enters_the_password_again(client: Client, ada: User) -> None:
    sign_in(client, ada)
    grow_old(client, hours=0.1)

    answer = client.get(reverse("mfa_activate_totp"), {"next": "/cart/"})

    again = reverse("account_reauthenticate")
    assertRedirects(
        answer, f"{again}?next=%2Faccounts%2Ftwo-steps%2Fapp%2F%3Fnext%3D%252Fcart%252F"
    )
    assertContains(client.post(again, {"password": "a guess"}), "field__error")
    assertRedirects(
        client.post(again, {"password": PASSWORD, "next": reverse("mfa_activate_totp")}),
        reverse("mfa_activate_totp"),
    )


def test_who_has_an_app_proves_himself_by_it_and_not_by_the_password(
    client: Client, ada: User
) -> None:
    give_app(ada)
    client.force_login(ada)

    page = client.get(reverse("mfa_activate_totp"))

    assertRedirects(page, f"{reverse('mfa_reauthenticate')}?next=%2Faccounts%2Ftwo-steps%2Fapp%2F")
    by_password = client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assertRedirects(by_password, reverse("mfa_reauthenticate"))
    assert client.get(reverse("mfa_activate_totp")).status_code == 302
    client.post(reverse("mfa_reauthenticate"), {"code": code_of()})
    assert client.get(reverse("mfa_activate_totp")).status_code == 200


def test_asking_again_is_limited(client: Client, ada: User) -> None:
    client.force_login(ada)
    for _ in range(10):
        client.post(reverse("account_reauthenticate"), {"password": "a guess"})

    answer = client.post(reverse("account_reauthenticate"), {"password": PASSWORD})

    assert answer.status_code == 429


def test_another_app_takes_the_place_of_the_first_and_the_codes_stay(
    client: Client, ada: User, commit: Any, mailoutbox: list[EmailMessage]
) -> None:
    codes = give_app(ada)
    sign_in(client, ada, code_of())

    secret, answer = set_up(client, commit)

    assertRedirects(answer, reverse("account"), fetch_redirect_response=False)
    assert secret != SECRET
    assert [app.data["secret"] for app in apps_of(ada)] == [secret]
    assert len(mailoutbox) == 1
    client.logout()
    assertContains(sign_in(client, ada, code_of(SECRET)), WRONG, count=1)
    assert client.post(reverse("mfa_authenticate"), {"code": codes[0]}).status_code == 302


def test_a_wrong_code_of_another_app_leaves_the_first(client: Client, ada: User) -> None:
    give_app(ada)
    sign_in(client, ada, code_of())

    client.post(reverse("mfa_activate_totp"), {"code": WRONG_CODE})

    assert [app.data["secret"] for app in apps_of(ada)] == [SECRET]


def test_new_recovery_codes_take_the_place_of_the_old(
    client: Client, ada: User, commit: Any, mailoutbox: list[EmailMessage]
) -> None:
    old = give_app(ada)
    sign_in(client, ada, code_of())

    with commit():
        answer = client.post(reverse("mfa_generate_recovery_codes"))

    assertRedirects(answer, reverse("mfa_view_recovery_codes"))
    file = client.get(reverse("mfa_download_recovery_codes"))
    new = file.content.decode().split()
    assert (len(new), set(new) & set(old)) == (10, set())
    assert [mail.subject for mail in mailoutbox] == ["Quire & Quill: You have new recovery codes"]
    client.logout()
    assertContains(sign_in(client, ada, old[0]), WRONG, count=1)


def test_a_shopper_turns_it_off_and_the_password_alone_will_do(
    client: Client, ada: User, mailoutbox: list[EmailMessage]
) -> None:
    give_app(ada)
    sign_in(client, ada, code_of())

    client.get(reverse("mfa_deactivate_totp"))
    assert len(apps_of(ada)) == 1
    answer = client.post(reverse("mfa_deactivate_totp"))

    assertRedirects(answer, reverse("account"))
    assert not Authenticator.objects.exists()
    assert [mail.subject for mail in mailoutbox] == ["Quire & Quill: Two-step sign-in is off"]
    client.logout()
    sign_in(client, ada)
    assert get_user(client) == ada


@pytest.mark.parametrize("is_required", [True, False])
def test_staff_turn_it_off_only_where_they_may_do_without(
    client: Client, settings: Settings, is_required: bool
) -> None:
    settings.STAFF_SECOND_FACTOR = is_required
    clerk = UserFactory(password=PASSWORD, is_staff=True)
    give_app(clerk)
    sign_in(client, clerk, code_of())

    page = client.get(reverse("mfa_deactivate_totp"))
    account = client.get(reverse("account"))
    client.post(reverse("mfa_deactivate_totp"))

    assert ("Staff sign in with two steps" in page.content.decode()) == is_required
    assert ("Turn it off" in account.content.decode()) == (not is_required)
    assert Authenticator.objects.count() == (2 if is_required else 0)


def test_an_address_that_is_not_confirmed_is_confirmed_first(
    client: Client, ada: User, mailoutbox: list[EmailMessage]
) -> None:
    EmailAddress.objects.create(user=ada, email=ada.email, verified=False, primary=True)
    sign_in(client, ada)

    answer = client.get(reverse("mfa_activate_totp"), follow=True)

    assertContains(answer, "Confirm your e-mail address first", count=1)
    assertContains(answer, "Send the link again", count=1)
    assert not client.post(reverse("mfa_activate_totp"), {"code": "1"}).headers.get("Set-Cookie")
    assert not Authenticator.objects.exists()
    sent = client.post(reverse("account_confirm_again"), follow=True)
    at_once = client.post(reverse("account_confirm_again"), follow=True)
    assertContains(sent, "We have sent an e-mail to ada@example.com", count=1)
    assertContains(at_once, "We sent a link a moment ago.", count=1)
    assert len(mailoutbox) == 1
    assert "/accounts/confirm-email/" in str(mailoutbox[0].body)


def test_nobody_sends_links_by_looking(client: Client, ada: User) -> None:
    client.force_login(ada)

    assert client.get(reverse("account_confirm_again")).status_code == 405


@pytest.mark.parametrize("has_app", [True, False])
def test_the_account_page_says_how_one_signs_in(client: Client, ada: User, has_app: bool) -> None:
    if has_app:
        give_app(ada)
    client.force_login(ada)

    page = client.get(reverse("account"))

    assertContains(page, "10 recovery codes left", count=int(has_app))
    assertContains(page, "Set it up", count=int(not has_app))
