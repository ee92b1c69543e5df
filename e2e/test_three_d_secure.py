"""3-D Secure: the buyer's bank asks, and the order is paid once or stays open."""

import re

import pytest
from playwright.sync_api import Page, expect

from e2e import steps
from e2e.conftest import OpenContext

ASKS_BANK = "4000 0000 0000 3220"


def buy_and_be_asked(page: Page, email: str) -> None:
    """Fill a cart, pay by a card whose bank asks, and be on the bank's page."""
    steps.put_in_cart(page)
    steps.fill_checkout(page, email)
    steps.go_to_stripe(page)
    steps.pay_by_card(page, ASKS_BANK)
    expect(page.get_by_role("heading", name="Your bank asks you to confirm")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text(re.compile(r"Amount\s*€13\.80"))


@pytest.mark.parametrize("with_javascript", [True, False])
def test_a_confirmed_payment_is_one_capture(
    open_context: OpenContext, staff: Page, email: str, with_javascript: bool
) -> None:
    page = open_context(java_script_enabled=with_javascript).new_page()
    buy_and_be_asked(page, email)

    # The pages are reached by keyboard alone, too.
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Complete")).to_be_focused()
    page.keyboard.press("Enter")

    steps.expect_paid(page)
    steps.expect_paid_once_by_webhook(staff, email)


def test_a_failed_confirmation_and_then_another_card_are_one_capture(
    page: Page, staff: Page, email: str
) -> None:
    buy_and_be_asked(page, email)

    page.get_by_role("button", name="Fail").click()

    expect(page.get_by_role("heading", name="Payment details")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("Your bank could not confirm")
    steps.pay_by_card(page)
    steps.expect_paid(page)
    steps.expect_paid_once_by_webhook(staff, email)


def test_a_step_back_after_confirming_charges_nothing_more(
    page: Page, staff: Page, email: str
) -> None:
    buy_and_be_asked(page, email)
    question = page.url
    page.get_by_role("button", name="Complete").click()
    steps.expect_paid(page)

    page.goto(question)

    expect(page.get_by_role("heading", name="This payment is complete")).to_be_visible()
    page.get_by_role("link", name="Return to the shop").click()
    steps.expect_paid(page)
    steps.expect_paid_once_by_webhook(staff, email)
