"""What a buyer does, step by step, and what staff then look up. Works without JavaScript too."""

import re
from contextlib import suppress

from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as NotShown

PAYS = "4242 4242 4242 4242"
IS_DECLINED = "4000 0000 0000 0002"
# Enough paperbacks of it are there for every test.
BOOK = "Pride and Prejudice"
# The user whom e2e/awkward.py makes, and everybody's password.
READER = "ada@example.com"
# Whom e2e/second_steps.py makes.
TWO_STEPS = "grace@example.com"
PASSWORD = "seven brass owls"
# More than any page has of what the Tab key stops at.
MOST_STOPS = 100


def put_in_cart(page: Page, title: str = BOOK) -> None:
    """Search for the book, add its paperback and go to the cart."""
    page.goto("/")
    page.get_by_role("searchbox").fill(title)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("main").get_by_role("link", name=title).click()
    add_shown_book(page, title)


def add_shown_book(page: Page, title: str) -> None:
    """Add the paperback of the book whose page is shown, and go to the cart."""
    page.get_by_role("radio", name="Paperback").check()
    page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_role("status").filter(has_text=f"Added “{title}”")).to_be_visible()
    page.get_by_role("banner").get_by_role("link", name="Cart").click()
    expect(page.get_by_role("heading", name="Your cart")).to_be_visible()


def sign_in(page: Page, email: str) -> None:
    """Sign in from wherever, and be on the home page."""
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"//[^/]+/$"))


def sign_in_as_staff(page: Page, email: str, password: str = PASSWORD) -> None:
    """Sign in at the admin's door, and be on its front page, or where a code is asked for."""
    page.goto("/admin/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def sign_up(page: Page, email: str) -> None:
    """Create an account, and be signed in on the home page."""
    page.goto("/accounts/signup/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url(re.compile(r"//[^/]+/$"))


def fill_checkout(page: Page, email: str) -> None:
    """Go from the cart to the checkout page and fill it in."""
    page.get_by_role("link", name="Checkout").click()
    page.get_by_label("E-mail address").fill(email)
    fill_address(page)


def fill_address(page: Page) -> None:
    """Fill in the checkout page, but for the e-mail address."""
    page.get_by_label("Full name").fill("Ada Reader")
    page.get_by_label("Street and number").fill("1 Long Lane")
    page.get_by_label("Postal code").fill("10115")
    page.get_by_label("City").fill("Berlin")
    page.get_by_label("Country").select_option(label="Germany")


def pay_button(page: Page) -> Locator:
    """The button of the checkout page and of Stripe's page: "Pay €13.80"."""
    return page.get_by_role("button", name=re.compile(r"^Pay \S+$"))


def go_to_stripe(page: Page) -> None:
    """Send the filled checkout form, and be on the sandbox's page."""
    pay_button(page).click()
    expect(page.get_by_role("heading", name="Payment details")).to_be_visible()


def begin_to_pay(page: Page) -> None:
    """Order a book as a guest, and be on the sandbox's page."""
    put_in_cart(page)
    fill_checkout(page, "reader@example.com")
    go_to_stripe(page)


def pay_by_bank_debit(page: Page) -> None:
    """Fill in and send the sandbox's page; the money takes days."""
    page.locator("input[value=bank_debit]").check()
    page.get_by_label("Name on card or account").fill("Ada Reader")
    pay_button(page).click()


def pay_by_card(page: Page, number: str = PAYS) -> None:
    """Fill in and send the sandbox's page."""
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry").fill("12 / 34")
    page.get_by_label("CVC").fill("123")
    page.get_by_label("Name on card or account").fill("Ada Reader")
    pay_button(page).click()


def expect_paid(page: Page) -> None:
    """Wait through the confirming page for the order's page to say that it is paid."""
    expect(page.get_by_text("Your payment has arrived.")).to_be_visible()
    expect(page.get_by_role("main").get_by_text("Paid", exact=True)).to_be_visible()
    expect(page.get_by_text("Payment received")).to_be_visible()


def open_only_order(staff: Page, email: str) -> None:
    """Open, in the admin, the one order that was placed with the address."""
    staff.goto(f"/admin/orders/order/?q={email}")
    orders = staff.locator("#result_list tbody tr")
    expect(orders).to_have_count(1)
    orders.get_by_role("link").first.click()
    expect(staff).to_have_url(re.compile(r"/admin/orders/order/\d+/change/"))


def rows(staff: Page, table: str) -> Locator:
    """The rows of a table of the order's page, like "Ledger"; each is named by its heading."""
    return staff.get_by_role("region", name=table, exact=True).locator("tbody tr")


def expect_paid_once_by_webhook(staff: Page, email: str) -> None:
    """Look up the buyer's only order: one attempt, one capture, and the event that paid it."""
    open_only_order(staff, email)
    expect(staff.get_by_role("article").get_by_role("heading", level=1)).to_contain_text("paid")
    attempts = rows(staff, "Payment attempts").get_by_role("rowheader")
    expect(attempts).to_have_text(["Checkout, succeeded"])
    expect(paying_event(staff)).to_have_text(re.compile(r"^\s*evt_\w+\s*$"))
    expect(rows(staff, "Ledger").filter(has_text="Capture")).to_have_count(1)


def paying_event(staff: Page) -> Locator:
    """The cause of the story's entry on the payment; Stripe's events come in any order."""
    return staff.get_by_role("listitem").filter(has_text="Payment received").get_by_role("link")


def reload_until_shown(page: Page, what: Locator, tries: int = 20) -> None:
    """Load the page again until `what` is there, a second after each."""
    for _ in range(tries):
        with suppress(NotShown):
            what.wait_for(timeout=1_000)
            return
        page.reload()
    expect(what).to_be_visible()


def tab_to(page: Page, what: Locator, key: str = "Tab") -> None:
    """Press the key until `what` has the focus."""
    for _ in range(MOST_STOPS):
        page.keyboard.press(key)
        if what.evaluate("element => element === document.activeElement"):
            return
    expect(what).to_be_focused()
