"""What real answers of a shop on HTTPS say to browsers, page by page, to the letter."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
import pytest
from django.test import Client

from accounts.tests.factories import UserFactory
from conftest import PROJECT
from orders import links
from orders.tests.factories import PendingOrderFactory
from payments.tests import support
from shop.tests.factories import VariantFactory
from shop.tests.locks import impatient

POLICY = {
    "default-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "form-action 'self' https://checkout.stripe.com",
}
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
        "magnetometer=(), microphone=(), midi=(), payment=(), usb=()"
    ),
    "Referrer-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# Prints the answers to the requests that it is given, as a browser behind the one proxy gets them.
ASK = """
import json, sys, django
django.setup()
from django.test import Client
answers = []
for method, path, headers, cookies, data in json.loads(sys.argv[1]):
    client = Client(raise_request_exception=False)
    client.cookies.load(cookies)
    headers = {"Host": "shop.example", "X-Forwarded-Proto": "https"} | headers
    answer = getattr(client, method)(path, data or None, headers=headers)
    told = [morsel.OutputString() for morsel in answer.cookies.values()]
    answers.append([answer.status_code, dict(answer.headers), told])
print(json.dumps(answers))
"""
Answer = tuple[int, dict[str, str], list[str]]


@pytest.fixture
def ask(process_environment: Mapping[str, str]) -> Callable[..., list[Answer]]:
    """Send requests (method, path, and headers, cookies, form if any) to a shop on HTTPS."""
    environment = dict(process_environment) | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SITE_URL": "https://shop.example",
        "TRUSTED_PROXY_COUNT": "1",
        "STRIPE_API_HOST": "",
    }

    def send(*requests: tuple[Any, ...]) -> list[Answer]:
        whole = [
            [*request, {}, {}, {}][:2] + [*request[2:], {}, {}, {}][:3] for request in requests
        ]
        asked = subprocess.run(
            [sys.executable, "-c", ASK, json.dumps(whole)],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == 0, asked.stderr
        return [(status, headers, cookies) for status, headers, cookies in json.loads(asked.stdout)]

    return send


def of_interest(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name in HEADERS}


def policy(headers: dict[str, str]) -> set[str]:
    """Return the directives of the content policy; django-csp shuffles them."""
    return set(headers["Content-Security-Policy"].split("; "))


@pytest.mark.django_db(transaction=True)
def test_every_page_type_has_every_header(ask: Callable[..., list[Answer]]) -> None:
    variant = VariantFactory()
    order = PendingOrderFactory()
    expected = {
        "/": 200,
        variant.product.category.get_absolute_url(): 200,
        variant.product.get_absolute_url(): 200,
        "/search/?q=product": 200,
        "/cart/": 200,
        "/checkout/": 302,
        "/orders/": 302,
        "/orders/find/": 200,
        links.path(order): 200,
        "/accounts/login/": 200,
        "/accounts/signup/": 200,
        "/accounts/password/reset/": 200,
        "/nowhere/": 404,
        "/media/nothing.png": 404,
        "/static/nothing.css": 404,
        "/health": 200,
        "/health/deep": 503,
    }

    answers = ask(*[("get", path) for path in expected])

    assert [status for status, _, _ in answers] == list(expected.values())
    for path, (_status, headers, _cookies) in zip(expected, answers, strict=True):
        assert (of_interest(headers), policy(headers)) == (HEADERS, POLICY), path


@pytest.mark.django_db(transaction=True)
def test_the_admin_may_do_what_it_cannot_do_without_and_no_more(
    ask: Callable[..., list[Answer]],
) -> None:
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    session = f"__Host-sessionid={client.cookies['sessionid'].value}"

    ((status, headers, _cookies),) = ask(("get", "/admin/", {}, session))

    assert (status, of_interest(headers)) == (200, HEADERS)
    assert policy(headers) == POLICY | {
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
    }


@pytest.mark.django_db(transaction=True)
def test_every_cookie_is_held_to_this_host_over_https(
    ask: Callable[..., list[Answer]],
) -> None:
    variant = VariantFactory()
    same_origin = {"Sec-Fetch-Site": "same-origin"}

    (added, page) = ask(
        ("post", "/cart/add/", same_origin, {}, {"variant": variant.pk, "quantity": 1}),
        ("get", "/accounts/login/"),
    )

    cookies = [cookie.split("; ") for cookie in added[2] + page[2]]
    # Django's messages are signed, and its cookie for them has no setting for the name.
    assert sorted(name.partition("=")[0] for name, *_ in cookies) == [
        "__Host-cart",
        "__Host-csrftoken",
        "messages",
    ]
    for _name, *attributes in cookies:
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(attributes)
        assert not any(attribute.startswith("Domain") for attribute in attributes)


@pytest.mark.django_db(transaction=True)
def test_only_the_proxy_is_believed_and_only_about_the_scheme(
    ask: Callable[..., list[Answer]],
) -> None:
    by_http = {"X-Forwarded-Proto": "http"}

    answers = ask(
        ("get", "/cart/", by_http),
        ("get", "/health", by_http),
        ("get", "/health/deep", by_http),
        ("get", "/cart/", {"X-Forwarded-Host": "evil.example"}),
        ("get", "/cart/", {"Host": "evil.example"}),
    )

    assert [(status, headers.get("Location")) for status, headers, _ in answers] == [
        (301, "https://shop.example/cart/"),
        (200, None),
        (503, None),
        (200, None),
        (400, None),
    ]


@pytest.mark.django_db
def test_a_body_beyond_every_form_is_refused(settings: Any) -> None:
    endpoint = support.endpoint_row()
    webhook = f"/stripe/webhook/{endpoint.djstripe_uuid}/"
    large = {"email": "x" * 1_000_001}
    many = {f"field{number}": "x" for number in range(1001)}
    client = Client(raise_request_exception=False)

    sent = [
        client.post("/orders/find/", large, content_type="application/x-www-form-urlencoded"),
        client.post("/orders/find/", large),
        client.post("/orders/find/", many),
        client.post(webhook, "x" * 1_000_001, content_type="application/json"),
    ]

    assert [answer.status_code for answer in sent] == [400, 400, 400, 400]


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_does_not_come_is_a_kind_503(
    process_environment: Mapping[str, str],
) -> None:
    VariantFactory()
    with psycopg.connect(process_environment["DATABASE_URL"]) as other:
        other.execute("LOCK TABLE shop_product IN ACCESS EXCLUSIVE MODE")
        with impatient():
            answer = Client().get("/")

    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert "Nothing is lost" in answer.content.decode()
    assert Client().get("/").status_code == 200
