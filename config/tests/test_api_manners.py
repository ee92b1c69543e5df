"""What every endpoint of the API does alike: errors in one shape, versions, limits, sizes."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from api.problems import Code
from api.tests.calls import Caller, assert_problem
from api.views import ApiView
from config.tests.api_scene import Scene
from config.tests.api_surface import SURFACE, Row, shape
from orders import links
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db
ROWS = [row for row in SURFACE if row.path != "schema/"]
each = pytest.mark.parametrize("row", ROWS, ids=str)
each_that_takes_a_body = pytest.mark.parametrize("row", [x for x in ROWS if x.body], ids=str)
each_that_takes_json = pytest.mark.parametrize(
    "row", [x for x in ROWS if x.body and not x.is_multipart], ids=str
)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
Ask = Callable[..., Any]


@pytest.fixture
def ask(row: Row) -> Ask:
    """Return how the endpoint is asked by one who may; what is named is sent otherwise."""
    scene = Scene("manager")
    headers = scene.client().headers | {
        "Order-Token": links.sign(scene.order.number),
        "Idempotency-Key": str(uuid4()),
    }
    path = row.path.format_map(scene.names())

    def send(
        text: str | bytes = b"{}",
        *,
        method: str = row.method,
        content_type: str = "application/json",
        client: Client | None = None,
        **more: str,
    ) -> Any:
        sent = headers | {name.replace("_", "-"): value for name, value in more.items()}
        return (client or Client()).generic(
            method, f"/api/{path}", text, content_type=content_type, headers=sent
        )

    return send


@each
def test_what_an_endpoint_does_not_do_is_405(row: Row, ask: Ask) -> None:
    done = {same.method for same in SURFACE if shape(same.path) == shape(row.path)}
    done |= {"HEAD"} if "GET" in done else set()

    for method in {*METHODS, "OPTIONS"} - done:
        answer = ask(method=method)
        assert_problem(answer, 405, "method_not_allowed")
        assert set(answer["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == done - {"HEAD"}


@each
def test_who_does_not_take_json_is_told_406(ask: Ask) -> None:
    assert_problem(ask(Accept="text/html"), 406, "not_acceptable")


@each
def test_another_version_is_refused_and_each_answer_names_its_own(ask: Ask) -> None:
    answer = ask(API_Version="2")

    assert_problem(answer, 400, "unknown_version")
    assert answer["API-Version"] == "1"


@each_that_takes_a_body
def test_a_body_of_another_kind_is_415_and_a_broken_one_400(row: Row, ask: Ask) -> None:
    broken = {"content_type": "multipart/form-data"} if row.is_multipart else {}

    assert_problem(ask("hello", content_type="text/plain"), 415, "unsupported_media_type")
    assert_problem(ask('{"a":', Idempotency_Key=str(uuid4()), **broken), 400, "malformed")


@each_that_takes_json
def test_a_body_that_is_no_object_is_422_and_a_deep_one_400(ask: Ask) -> None:
    problem = assert_problem(ask("[]"), 422, "invalid")
    assert [error["field"] for error in problem["errors"]] == [""]
    assert_problem(ask("[" * 100_000, Idempotency_Key=str(uuid4())), 400, "malformed")


@each_that_takes_a_body
def test_a_body_that_is_too_large_is_413(row: Row, ask: Ask, settings: Settings) -> None:
    most = 10 * 2**20 if row.is_multipart else 0

    assert_problem(ask(b"x" * (most + settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)), 413, "too_large")


@each
def test_too_many_requests_are_429_and_looking_is_free(
    row: Row, ask: Ask, settings: Settings
) -> None:
    none = dict.fromkeys(settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], "0/min")
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": none}

    answer = ask()

    if row.method == "GET":
        assert answer.status_code == 200
    else:
        assert_problem(answer, 429, "too_many_requests")
        assert int(answer["Retry-After"]) >= 1


@each
def test_a_fault_of_ours_is_500_and_a_busy_database_503(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_by(error: Exception) -> Callable[..., None]:
        def fail(*args: object, **kwargs: object) -> None:
            raise error

        return fail

    monkeypatch.setattr(ApiView, "initial", fail_by(ZeroDivisionError()))
    answer = ask(client=Client(raise_request_exception=False))
    assert_problem(answer, 500, "internal_error")

    monkeypatch.setattr(ApiView, "initial", fail_by(OperationalError()))
    answer = ask()
    assert_problem(answer, 503, "busy")
    assert answer["Retry-After"] == "10"


@pytest.mark.parametrize("path", ["nothing/", "products", "auth/app/v1/auth/login", "../api/x"])
def test_an_address_that_is_none_is_404(path: str) -> None:
    for method in METHODS:
        answer = Caller().call(method, path)
        assert_problem(answer, 404, "not_found")


def test_a_token_that_is_made_up_is_not_counted_and_who_is_refused_no_more(
    settings: Settings,
) -> None:
    few = dict.fromkeys(settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], "3/min")
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": few}
    guest = Scene("guest").client()
    kept: list[str] = []

    for number in range(5):
        Caller(Cart_Token=f"made up {number}").delete("cart/")
        kept = [key for key in cache._cache if ":limit:" in key]  # type: ignore[attr-defined]
    assert len(kept) == 1
    assert_problem(guest.delete("cart/"), 429, "too_many_requests")
    # From other addresses a guest is one and the same.
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}
    answers = [
        guest.call("DELETE", "cart/", X_Forwarded_For=f"192.0.2.{number}") for number in range(5)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]


def test_a_large_body_is_refused_before_anything_else_is_judged(settings: Settings) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(Scene("buyer").buyer)
    body = b"x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)

    answer = browser.post("/api/cart/lines/", body, content_type="application/json")

    assert_problem(answer, 413, "too_large")


def test_a_form_of_too_many_parts_is_a_problem_too() -> None:
    scene = Scene("manager")
    headers = scene.client().headers
    many = {f"field-{number}": "x" for number in range(1_001)}

    answer = Client().post(f"/api/admin/products/{scene.slug}/images/", many, headers=headers)

    assert_problem(answer, 400, "malformed")


def test_what_django_refuses_itself_is_a_problem_too() -> None:
    answer = Client().get("/api/auth/me/", headers={"Host": "other.example"})

    assert_problem(answer, 400, "malformed")


def test_links_to_other_pages_are_the_shops_own() -> None:
    VariantFactory()
    VariantFactory()

    answer = Client().get("/api/products/?page_size=1", headers={"Host": "testserver:8123"})

    assert answer.json()["next"] == "http://testserver/api/products/?page=2&page_size=1"


def test_every_code_is_explained_where_its_type_leads(client: Client) -> None:
    page = client.get("/api/problems/").content.decode()

    assert [code for code in Code if f'id="{code}"' not in page] == []
