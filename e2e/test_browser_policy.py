from playwright.sync_api import Page

from e2e import steps
from e2e.demo import Demo

CATALOG = ["/", "/category/fiction/", "/product/walden/", "/search/?q=thoreau"]


def test_shop_pages_allow_nothing_inline_and_forms_lead_to_stripe_alone(
    page: Page, demo: Demo
) -> None:
    steps.put_in_cart(page)

    for path in [*CATALOG, "/cart/", "/checkout/", "/accounts/login/", "/orders/find/"]:
        response = page.goto(path)

        assert response is not None
        policy = response.headers["content-security-policy"]
        assert dict(part.strip().split(" ", 1) for part in policy.split(";")) == {
            "default-src": "'self'",
            "img-src": "'self' data:",
            "object-src": "'none'",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
            "form-action": f"'self' https://checkout.stripe.com {demo.sandbox_url}",
        }


def test_who_only_looks_around_gets_no_cookie(page: Page) -> None:
    for path in CATALOG:
        page.goto(path)

    assert page.context.cookies() == []
