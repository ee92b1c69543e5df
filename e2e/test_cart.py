"""The cart by keyboard: changes come by htmx, the focus stays with the reader, and he is told."""

from playwright.sync_api import Page, expect

from e2e import steps
from e2e.conftest import OpenContext

LINE = f"{steps.BOOK}, Paperback"


def test_a_step_changes_the_cart_keeps_the_focus_and_is_announced(page: Page) -> None:
    steps.put_in_cart(page)
    more = page.get_by_role("button", name=f"One more of {LINE}")

    more.press("Enter")

    expect(page.get_by_label(f"Quantity of {LINE}")).to_have_value("2")
    expect(page.locator("#cart-link")).to_contain_text("2")
    expect(more).to_be_focused()
    expect(page.locator("#cart-news")).to_have_text("Your cart has 2 items, €22.70 with shipping.")


def test_a_typed_number_is_taken_when_the_field_is_left(page: Page) -> None:
    steps.put_in_cart(page)
    field = page.get_by_label(f"Quantity of {LINE}")

    field.fill("3")
    field.press("Tab")

    expect(page.get_by_role("main").get_by_text("€26.70", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name=f"One more of {LINE}")).to_be_focused()


def test_after_removing_a_line_the_focus_is_on_the_next_and_in_the_end_on_the_cart(
    page: Page,
) -> None:
    steps.put_in_cart(page)
    steps.put_in_cart(page, "Walden")

    page.get_by_role("button", name=f"Remove {LINE}").press("Enter")
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_role("article", name="Walden, Paperback")).to_be_focused()
    page.get_by_role("button", name="Remove Walden, Paperback").press("Enter")

    expect(page.get_by_role("heading", name="Your cart is empty")).to_be_visible()
    expect(page.locator("#cart")).to_be_focused()


def test_without_javascript_a_button_sends_the_number(open_context: OpenContext) -> None:
    page = open_context(java_script_enabled=False).new_page()
    steps.put_in_cart(page)
    expect(page.get_by_role("button", name=f"One more of {LINE}")).to_be_hidden()

    page.get_by_label(f"Quantity of {LINE}").fill("2")
    page.get_by_role("button", name=f"Update {LINE}").click()

    expect(page.get_by_label(f"Quantity of {LINE}")).to_have_value("2")
