"""Other sites' pages: none may use the API unless it is named, none by the shop's cookies."""

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
APP = "https://app.example"


def preflight(path: str = "/api/cart/lines/", origin: str = APP) -> dict[str, str]:
    """Return the headers of the answer to what a browser asks before a page may send JSON."""
    answer = Client().options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,cart-token,idempotency-key",
        },
    )
    return {name: value for name, value in answer.items() if name.startswith("access-control-")}


def test_no_other_site_may_use_it_unless_it_is_named() -> None:
    assert preflight() == {}
    assert "access-control-allow-origin" not in Client().get(
        "/api/products/", headers={"Origin": APP}
    )


def test_a_site_that_is_named_may_send_tokens_and_read_answers(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]

    allowed = preflight()
    answer = Client().get("/api/products/", headers={"Origin": APP})

    assert allowed["access-control-allow-origin"] == APP
    headers = set(allowed["access-control-allow-headers"].split(", "))
    assert {"authorization", "cart-token", "content-type", "idempotency-key"} <= headers
    assert {"order-token", "api-version", "if-none-match"} <= headers
    assert "POST" in allowed["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in allowed
    assert answer["access-control-allow-origin"] == APP
    exposed = set(answer["access-control-expose-headers"].split(", "))
    assert exposed == {"api-version", "etag", "idempotent-replayed", "retry-after"}
    assert "origin" in answer["Vary"]


def test_a_site_that_is_not_named_may_not_and_no_page_of_the_shop_is_open(
    settings: Settings,
) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]

    assert preflight(origin="https://evil.example") == {}
    assert preflight("/cart/add/") == {}
    assert preflight("/admin/") == {}


def test_a_session_changes_nothing_without_the_shops_own_token(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(UserFactory())

    answer = browser.post(
        "/api/cart/lines/", "{}", content_type="application/json", headers={"Origin": APP}
    )

    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"
    # What browsers hold against a page that would send cookies along.
    assert "access-control-allow-credentials" not in answer
