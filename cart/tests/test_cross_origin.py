import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from cart.cross_origin import same_origin_only
from cart.models import Cart
from shop.tests.factories import VariantFactory


@same_origin_only
def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        # The newer header decides, also behind a proxy that changes the host.
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://elsewhere.example"},
        {"Origin": "http://testserver"},
        {"Origin": "http://TESTSERVER"},
    ],
)
def test_a_post_of_our_own_page_or_of_no_browser_passes(headers: dict[str, str]) -> None:
    response = view(RequestFactory(headers=headers).post("/"))

    assert response.content == b"done"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "nonsense"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://testserver:8080"},
        {"Origin": "http://shop.testserver"},
        {"Origin": "null"},
        {"Origin": "http://[broken"},
    ],
)
def test_a_post_of_another_site_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(PermissionDenied):
        view(RequestFactory(headers=headers).post("/"))


def test_looking_is_allowed_from_anywhere() -> None:
    response = view(RequestFactory(headers={"Sec-Fetch-Site": "cross-site"}).get("/"))

    assert response.content == b"done"


def test_the_cart_takes_books_without_a_token(db: None) -> None:
    variant = VariantFactory()

    response = Client(enforce_csrf_checks=True).post(
        "/cart/add/", {"variant": variant.pk, "quantity": 1}
    )

    assert response.status_code == 302
    assert Cart.objects.get().lines.get().quantity == 1


def test_another_site_cannot_fill_a_cart(db: None) -> None:
    variant = VariantFactory()

    response = Client(headers={"Sec-Fetch-Site": "cross-site"}).post(
        "/cart/add/", {"variant": variant.pk, "quantity": 1}
    )

    assert response.status_code == 403
    assert not Cart.objects.exists()


@pytest.mark.parametrize("path", ["/cart/clear/", "/cart/lines/1/", "/cart/lines/1/remove/"])
def test_the_forms_of_the_cart_page_keep_their_token(db: None, path: str) -> None:
    response = Client(enforce_csrf_checks=True).post(path)

    assert response.status_code == 403
