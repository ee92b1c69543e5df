import re

import requests
from playwright.sync_api import Page, expect

from e2e import steps
from e2e.conftest import OpenContext
from e2e.demo import Demo


def test_a_guest_buys_and_staff_see_the_webhook_that_made_the_order_paid(
    page: Page, staff: Page, email: str, demo: Demo
) -> None:
    hold_back_the_webhook(demo)

    page.goto("/")
    page.get_by_role("navigation", name="Categories").get_by_text("Science & Nature").click()
    page.get_by_role("main").get_by_role("link", name="Walden").click()
    steps.add_shown_book(page, "Walden")
    steps.fill_checkout(page, email)
    steps.go_to_stripe(page)
    assert page.url.startswith(f"{demo.sandbox_url}/c/pay/cs_test_")
    steps.pay_by_card(page)

    expect(page.get_by_role("heading", name="Confirming your payment")).to_be_visible()
    steps.expect_paid(page)
    # What was bought has left the cart.
    expect(page.locator("#cart-link")).to_have_text("Cart")
    steps.expect_paid_once_by_webhook(staff, email)
    event_id = steps.paying_event(staff).inner_text().strip()
    # Stripe knows its fee some seconds after the payment.
    ledger = steps.rows(staff, "Ledger")
    steps.reload_until_shown(staff, ledger.filter(has_text="Fee"))
    expect(ledger.locator("td:nth-child(3)")).to_have_text(
        ["€13.80", re.compile(r"^\s*-€\d\.\d\d\s*$")]
    )
    staff.get_by_role("link", name=event_id).click()
    # Whichever of the payment's events was heard first.
    paying = re.compile(r"checkout\.session\.completed|payment_intent\.succeeded")
    expect(staff.locator("#result_list")).to_contain_text(paying)


def test_a_declined_card_and_then_a_good_one_are_one_order_and_one_capture(
    page: Page, staff: Page, email: str
) -> None:
    steps.put_in_cart(page)
    steps.fill_checkout(page, email)
    steps.go_to_stripe(page)
    session_url = page.url

    steps.pay_by_card(page, steps.IS_DECLINED)
    expect(page.get_by_text("Your card was declined.")).to_be_visible()
    assert page.url == session_url
    steps.pay_by_card(page)

    steps.expect_paid(page)
    expect(page.get_by_text("Card declined")).to_be_visible()
    steps.expect_paid_once_by_webhook(staff, email)


def test_a_guest_buys_without_javascript(
    open_context: OpenContext, staff: Page, email: str, demo: Demo
) -> None:
    page = open_context(java_script_enabled=False).new_page()
    hold_back_the_webhook(demo)

    steps.put_in_cart(page)
    steps.fill_checkout(page, email)
    steps.go_to_stripe(page)
    steps.pay_by_card(page)

    expect(page.get_by_role("heading", name="Confirming your payment")).to_be_visible()
    steps.expect_paid(page)
    steps.expect_paid_once_by_webhook(staff, email)


def test_a_buyer_who_turns_back_finds_the_cart_untouched_and_pays_later(
    page: Page, staff: Page, email: str
) -> None:
    steps.put_in_cart(page)
    steps.fill_checkout(page, email)
    steps.go_to_stripe(page)

    page.get_by_role("link", name="Back to the shop").click()

    expect(page.get_by_role("status")).to_contain_text("Nothing was charged.")
    expect(page.get_by_role("article", name=f"{steps.BOOK}, Paperback")).to_be_visible()
    page.get_by_role("link", name="pay for it now").click()
    expect(page.get_by_text("No payment has reached us yet.")).to_be_visible()
    page.get_by_role("button", name="Pay €13.80 now").click()
    steps.pay_by_card(page)
    steps.expect_paid(page)
    steps.expect_paid_once_by_webhook(staff, email)


def test_a_purchase_needs_no_mouse(page: Page, email: str) -> None:
    page.goto("/product/pride-and-prejudice/")

    add = page.get_by_role("button", name="Add to cart")
    steps.tab_to(page, add)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Added")).to_contain_text(steps.BOOK)
    expect(add).to_be_focused()
    steps.tab_to(page, page.get_by_role("link", name="Cart 1 item"), key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your cart")).to_be_visible()
    steps.tab_to(page, page.get_by_role("link", name="Checkout"))
    page.keyboard.press("Enter")
    type_into(
        page,
        {
            "E-mail address": email,
            "Full name": "Ada Reader",
            "Street and number": "1 Long Lane",
            "Postal code": "10115",
            "City": "Berlin",
        },
    )
    steps.tab_to(page, page.get_by_role("combobox", name="Country"))
    page.keyboard.type("Germany")
    steps.tab_to(page, steps.pay_button(page))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Payment details")).to_be_visible()
    type_into(
        page,
        {
            "Card number": steps.PAYS,
            "Expiry": "12 / 34",
            "CVC": "123",
            "Name on card or account": "Ada Reader",
        },
    )
    steps.tab_to(page, steps.pay_button(page))
    page.keyboard.press("Enter")

    steps.expect_paid(page)


def type_into(page: Page, texts: dict[str, str]) -> None:
    """Go from field to field, and type."""
    for label, text in texts.items():
        steps.tab_to(page, page.get_by_role("textbox", name=label))
        page.keyboard.type(text)


def hold_back_the_webhook(demo: Demo) -> None:
    """Let the buyer be back before the shop hears of the payment, but before he asks again."""
    events = r"^(checkout\.session\.completed|payment_intent\.succeeded)$"
    fault = {"kind": "webhook_delay", "match": events, "seconds": 1, "times": 2}
    requests.post(f"{demo.sandbox_url}/_sandbox/faults", json=fault, timeout=10).raise_for_status()
