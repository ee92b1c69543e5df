"""Pages that say what went wrong, in the shop's frame where a request is at hand."""

import re

import pytest
from django.test import Client, RequestFactory
from django.views.defaults import permission_denied, server_error
from pytest_django import DjangoAssertNumQueries
from pytest_django.asserts import assertContains

pytestmark = pytest.mark.django_db


def assert_framed(page: str) -> None:
    assert '<header class="site-header">' in page
    assert '<meta name="robots" content="noindex">' in page


def test_a_page_that_is_not_there_offers_a_search(client: Client) -> None:
    response = client.get("/no-such-page/")

    assertContains(response, "We could not find that page</h1>", status_code=404)
    page = response.content.decode()
    assert_framed(page)
    assert 'id="search-here" type="search" name="q"' in page


def test_a_form_without_its_token_is_out_of_date_and_keeps_the_frame() -> None:
    response = Client(enforce_csrf_checks=True).post("/orders/find/", {"number": "x"})

    assertContains(response, "This form is out of date</h1>", status_code=403)
    assert_framed(response.content.decode())


def test_what_is_not_open_offers_to_sign_in(client: Client) -> None:
    request = client.get("/").wsgi_request

    page = permission_denied(request, PermissionError()).content.decode()

    assert_framed(page)
    assert re.findall(r'<a class="button" href="([^"]+)">(.+?)</a>', page) == [
        ("/accounts/login/", "Sign in")
    ]


def test_too_many_tries_say_how_long_to_wait(client: Client) -> None:
    form = {"number": "ABCDEFGHJK", "email": "reader@example.com"}
    for _ in range(10):
        client.post("/orders/find/", form)

    response = client.post("/orders/find/", form)

    assert response.status_code == 429
    page = response.content.decode()
    assert_framed(page)
    seconds = int(response["Retry-After"])
    assert 50 <= seconds <= 60
    assert f"Please wait {seconds} seconds, then try again." in page


def test_a_fault_of_ours_is_told_without_asking_the_database(
    rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        response = server_error(rf.get("/"))

    assertContains(response, "Something went wrong on our side</h1>", status_code=500)
    assertContains(response, "you cannot pay twice", status_code=500)
