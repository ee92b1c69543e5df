"""However often a buyer asks to pay for the same cart: one order, one session at Stripe."""

from playwright.sync_api import Page, expect

from e2e import steps


def test_a_double_click_places_one_order(page: Page, staff: Page, email: str) -> None:
    steps.put_in_cart(page)
    steps.fill_checkout(page, email)

    steps.pay_button(page).dblclick()

    expect(page.get_by_role("heading", name="Payment details")).to_be_visible()
    expect_one_attempt(staff, email)


def test_two_tabs_lead_to_the_same_session(page: Page, staff: Page, email: str) -> None:
    steps.put_in_cart(page)
    other = page.context.new_page()
    other.goto("/cart/")
    steps.fill_checkout(page, email)
    steps.fill_checkout(other, email)

    steps.go_to_stripe(page)
    steps.go_to_stripe(other)

    assert other.url == page.url
    expect_one_attempt(staff, email)


def test_back_from_stripes_page_and_pay_again_leads_to_the_same_session(
    page: Page, staff: Page, email: str
) -> None:
    steps.put_in_cart(page)
    steps.fill_checkout(page, email)
    steps.go_to_stripe(page)
    session_url = page.url

    page.go_back()
    expect(page.get_by_role("heading", name="Checkout")).to_be_visible()
    page.get_by_label("E-mail address").fill(email)
    steps.fill_address(page)
    steps.go_to_stripe(page)

    assert page.url == session_url
    expect_one_attempt(staff, email)


def expect_one_attempt(staff: Page, email: str) -> None:
    steps.open_only_order(staff, email)
    attempts = steps.rows(staff, "Payment attempts").get_by_role("rowheader")
    expect(attempts).to_have_text(["Checkout, open"])
