from playwright.sync_api import Page, expect

from e2e import steps


def test_a_guests_cart_joins_the_users_own_at_sign_in_and_he_is_told(
    page: Page, email: str
) -> None:
    page.goto("/accounts/signup/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(steps.PASSWORD)
    page.get_by_role("button", name="Create account").click()
    steps.put_in_cart(page, "Emma")
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_contain_text("You are signed out.")
    expect(page.locator("#cart-link")).to_have_text("Cart")
    steps.put_in_cart(page, "Walden")

    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(steps.PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("status")).to_contain_text(
        "We put the item of your visit into your cart."
    )
    page.goto("/cart/")
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.get_by_role("article", name="Emma")).to_be_visible()
    expect(page.get_by_role("article", name="Walden")).to_be_visible()
