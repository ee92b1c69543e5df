from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from shop.limits import client_ip, limited

pytestmark = pytest.mark.django_db


@limited("knock")
def knock(request: HttpRequest) -> HttpResponse:
    return HttpResponse("come in")


@pytest.fixture(autouse=True)
def two_a_minute(settings: LazySettings) -> None:
    settings.REST_FRAMEWORK = {"NUM_PROXIES": 0, "DEFAULT_THROTTLE_RATES": {"knock": "2/min"}}


@pytest.fixture
def post(rf: RequestFactory) -> Callable[..., HttpResponse]:
    def send(user: object = None, **headers: str) -> HttpResponse:
        request = rf.post("/", **headers)  # type: ignore[arg-type]
        request.user = user or AnonymousUser()  # type: ignore[assignment]
        return knock(request)

    return send


def test_third_post_in_a_minute_is_told_when_to_come_back(
    post: Callable[..., HttpResponse],
) -> None:
    answers = [post() for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2]["Retry-After"]) <= 60
    assert "too often" in answers[2].text


def test_another_address_is_not_held_back(post: Callable[..., HttpResponse]) -> None:
    for _ in range(3):
        post(REMOTE_ADDR="192.0.2.1")

    assert post(REMOTE_ADDR="192.0.2.2").status_code == 200


def test_looking_is_not_counted(rf: RequestFactory, post: Callable[..., HttpResponse]) -> None:
    request = rf.get("/")

    answers = [knock(request).status_code for _ in range(5)]

    assert answers == [200] * 5
    assert post().status_code == 200


def test_user_is_counted_from_wherever(post: Callable[..., HttpResponse]) -> None:
    user = get_user_model()(pk=7)

    answers = [post(user, REMOTE_ADDR=f"192.0.2.{number}").status_code for number in range(3)]

    assert answers == [200, 200, 429]


def test_forwarded_address_is_not_believed_without_a_proxy(
    post: Callable[..., HttpResponse],
) -> None:
    answers = [post(HTTP_X_FORWARDED_FOR=f"192.0.2.{number}").status_code for number in range(3)]

    assert answers == [200, 200, 429]


def test_address_is_what_our_own_proxy_saw(
    settings: LazySettings, post: Callable[..., HttpResponse]
) -> None:
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}

    answers = [
        post(HTTP_X_FORWARDED_FOR=f"10.0.0.{number}, 192.0.2.1").status_code for number in range(3)
    ]

    assert answers == [200, 200, 429]
    assert post(HTTP_X_FORWARDED_FOR="10.0.0.1, 192.0.2.2").status_code == 200


@pytest.mark.parametrize(
    ("address", "known_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("unix:", None),
        ("", None),
    ],
)
def test_a_clients_address_is_one_that_the_database_can_hold(
    address: str, known_as: str | None
) -> None:
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR=address)) == known_as
