"""Every type of page there is, in its common and in its awkward states, and how to get there."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from playwright.sync_api import Page, Route, expect

from e2e import steps
from e2e.world import World

ASKS_BANK = "4000 0000 0000 3220"
# Beyond what a line of a cart may hold.
TOO_MANY = "99"
# More than anybody may post within a minute.
TOO_OFTEN = 30
# Of orders, made by e2e/order_states.py.
STATES = (
    "declined",
    "debit failed",
    "too late",
    "in review",
    "canceled by its buyer",
    "canceled by staff",
    "paid too late",
    "partly refunded",
    "refunded",
    "free of charge",
    "fulfilled",
)
RESET_LINK = re.compile(r"/accounts/password/reset/key/\S+")


Reach = Callable[[Page, World], Any]


@dataclass(frozen=True)
class PageType:
    """How to get there from nowhere (an address, or steps), and what the answer is."""

    name: str
    reach: str | Reach
    status: int = 200
    is_indexed: bool = False
    # Scripts have changed it since the answer came.
    is_changed: bool = False

    def open(self, page: Page, world: World) -> None:
        if isinstance(self.reach, str):
            page.goto(self.reach)
        else:
            self.reach(page, world)


def _allow_nonsense(page: Page) -> None:
    """Let the browser send what it would hold back itself, so that the server has to refuse it."""
    page.evaluate("for (const form of document.forms) form.noValidate = true")


def _checkout(page: Page, _world: World) -> None:
    steps.put_in_cart(page)
    page.get_by_role("link", name="Checkout").click()
    page.wait_for_url("**/checkout/")


def _checkout_refused(page: Page, world: World) -> None:
    _checkout(page, world)
    page.get_by_label("E-mail address").fill("not an address")
    _send_nonsense(page, steps.pay_button(page).click)


def _send_nonsense(page: Page, send: Callable[[], None]) -> None:
    """Send a form that is refused, and be on the page that says so."""
    _allow_nonsense(page)
    with page.expect_event("domcontentloaded"):
        send()


def _send_past_scripts(page: Page, form: str) -> None:
    """Send a form as a browser does in which nothing runs; the answer is a page."""
    with page.expect_navigation():
        page.locator(form).evaluate("form => form.submit()")


def _cart_short(page: Page, _world: World) -> None:
    page.goto("/product/two-left/")
    page.get_by_label("Quantity").fill("3")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("status").get_by_text("Added").wait_for()
    page.goto("/cart/")


def _cart_refused(page: Page, _world: World) -> None:
    steps.put_in_cart(page)
    page.get_by_label("Quantity").fill(TOO_MANY)
    _send_past_scripts(page, ".cart-line__update")


def _added(page: Page, _world: World) -> None:
    page.goto("/product/walden/")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("link", name="View cart").wait_for()


def _adding_refused(page: Page, _world: World) -> None:
    page.goto("/product/walden/")
    page.get_by_label("Quantity").fill(TOO_MANY)
    _send_past_scripts(page, ".buy")


def _as_reader(address: str, page: Page, _world: World) -> None:
    steps.sign_in(page, steps.READER)
    page.goto(address)
    # Not where somebody is led who may not see it.
    expect(page).to_have_url(address)


def _canceled_order(page: Page, world: World) -> None:
    _as_reader("/orders/", page, world)
    page.get_by_role("main").get_by_role("heading").get_by_role("link").first.click()
    page.wait_for_url(re.compile(r"/orders/[0-9A-Z]{10}/$"))


def _order(state: str, page: Page, world: World) -> None:
    page.goto(world.states[state])


def _cancel_failing(page: Page, world: World) -> None:
    page.goto(f"{world.to_pay.order_url}cancel/")
    world.fault("refuse")
    try:
        with page.expect_event("domcontentloaded"):
            page.get_by_role("button", name="Cancel the order").click()
    finally:
        world.mend()


def _as_newcomer(address: str, page: Page, _world: World) -> None:
    steps.sign_up(page, f"newcomer-{uuid.uuid4().hex[:12]}@example.com")
    page.goto(address)


def _order_confirming(page: Page, world: World) -> None:
    """Stay on the page that would look again by itself."""

    def answer_once(route: Route) -> None:
        answer = route.fetch()
        headers = {name: text for name, text in answer.headers.items() if name != "refresh"}
        route.fulfill(response=answer, headers=headers)

    page.route("**/success/", answer_once)
    page.goto(f"{world.to_pay.order_url}success/")


def _refused_form(address: str, fields: dict[str, str], page: Page, _world: World) -> None:
    page.goto(address)
    for label, text in fields.items():
        page.get_by_label(label).fill(text)
    _send_nonsense(page, page.get_by_role("main").get_by_role("button").first.click)


def _password_change_refused(page: Page, world: World) -> None:
    steps.sign_in(page, steps.READER)
    _refused_form("/accounts/password/change/", {}, page, world)


def _signed_in(sign_in: str, address: str, page: Page, world: World) -> None:
    """Open a page in a session that is there already."""
    key = world.sign_ins[sign_in]
    page.context.add_cookies([{"name": "sessionid", "value": key, "url": world.demo.shop_url}])
    page.goto(address)


def _second_step(page: Page, world: World) -> None:
    # Made at first use.
    assert world.sign_ins
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(steps.TWO_STEPS)
    page.get_by_label("Password").fill(steps.PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/login/code/")


def _second_step_refused(page: Page, world: World) -> None:
    _second_step(page, world)
    page.get_by_label("Code").fill("000")
    _send_nonsense(page, page.get_by_role("button", name="Sign in", exact=True).click)


def _set_up_refused(page: Page, world: World) -> None:
    _as_reader("/accounts/two-steps/app/", page, world)
    page.get_by_role("textbox", name="Code").fill("000")
    _send_nonsense(page, page.get_by_role("button", name="Set it up").click)


def _reset_requested(page: Page, world: World) -> None:
    page.goto("/accounts/password/reset/")
    page.get_by_label("Email").fill(steps.READER)
    page.get_by_role("main").get_by_role("button").click()
    page.wait_for_url("**/reset/done/")


def _reset_by_link(page: Page, world: World) -> None:
    _reset_requested(page, world)
    mails = world.demo.mails()
    link = next(filter(None, (RESET_LINK.search(mail) for mail in reversed(mails))))
    page.goto(link[0])


def _from_another_site(page: Page, world: World) -> None:
    page.set_content(
        f"<form method=post action={world.demo.shop_url}/cart/add/><button>Add</button></form>"
    )
    with page.expect_navigation():
        page.get_by_role("button").click()


def _without_cookie(page: Page, _world: World) -> None:
    page.goto("/accounts/login/")
    page.context.clear_cookies()
    _send_nonsense(page, page.get_by_role("main").get_by_role("button").click)


def _too_often(page: Page, _world: World) -> None:
    page.goto("/orders/find/")
    for _ in range(TOO_OFTEN):
        token = page.locator("main input[name=csrfmiddlewaretoken]").input_value()
        page.request.post("/orders/find/", form={"csrfmiddlewaretoken": token})
    _send_nonsense(page, page.get_by_role("main").get_by_role("button").first.click)


def _own_error(page: Page, world: World) -> None:
    """Show the page of an error in the shop's own code, of which there is none to be had."""
    body = world.demo.run(
        "from django.test import RequestFactory\n"
        "from django.views.defaults import server_error\n"
        "print(server_error(RequestFactory().get('/')).content.decode())"
    )
    page.route("**/own-error/", lambda route: route.fulfill(status=500, body=body))
    page.goto("/own-error/")


def _payment_failing(kind: str, page: Page, world: World) -> None:
    steps.put_in_cart(page)
    steps.fill_checkout(page, "reader@example.com")
    world.fault(kind)
    try:
        with page.expect_event("domcontentloaded"):
            steps.pay_button(page).click()
    finally:
        world.mend()


def _bank_asking(page: Page, _world: World) -> None:
    steps.begin_to_pay(page)
    steps.pay_by_card(page, ASKS_BANK)
    page.get_by_role("heading", name="Your bank asks").wait_for()


def _stripe_declining(page: Page, world: World) -> None:
    page.goto(world.to_pay.stripe_url)
    with page.expect_event("domcontentloaded"):
        steps.pay_by_card(page, steps.IS_DECLINED)


def _stripe_refusing(page: Page, world: World) -> None:
    page.goto(world.to_pay.stripe_url)
    _send_nonsense(page, steps.pay_button(page).click)


PAGE_TYPES = (
    PageType("home", "/", is_indexed=True),
    PageType("category", "/category/fiction/", is_indexed=True),
    PageType("category: 300 products", "/category/remainders/", is_indexed=True),
    PageType("category: page 7", "/category/remainders/?page=7", is_indexed=True),
    PageType("category: sorted", "/category/remainders/?sort=-price&page=2"),
    PageType("category: empty", "/category/coming-soon/", is_indexed=True),
    PageType("product", "/product/walden/", is_indexed=True),
    PageType("product: one edition, no picture", "/product/remainder-1/", is_indexed=True),
    PageType("product: long title, five editions", "/product/long-title/", is_indexed=True),
    PageType("product: sold out", "/product/sold-out/", is_indexed=True),
    PageType("product: not for sale", "/product/not-for-sale/", is_indexed=True),
    PageType("product: added to cart", _added, is_indexed=True, is_changed=True),
    PageType("search", "/search/?q=the"),
    PageType("search: nothing found", f"/search/?q={'xyzzy' * 12}"),
    PageType("search: nothing asked", "/search/"),
    PageType("cart", lambda page, _world: steps.put_in_cart(page)),
    PageType("cart: empty", "/cart/"),
    PageType("cart: short line", _cart_short),
    PageType("cart: everything changed", partial(_as_reader, "/cart/")),
    PageType("cart: quantity refused", _cart_refused, 422),
    PageType("cart: adding refused", _adding_refused, 422),
    PageType("checkout", _checkout),
    PageType("checkout: refused", _checkout_refused, 422),
    PageType("payment unreachable", partial(_payment_failing, "refuse"), 503),
    PageType("payment busy", partial(_payment_failing, "rate_limit"), 429),
    PageType("confirming", _order_confirming),
    PageType(
        "confirming: for long",
        lambda page, world: page.goto(f"{world.to_pay.order_url}success/?asked=999"),
    ),
    PageType("order: to pay", lambda page, world: page.goto(world.to_pay.order_url)),
    PageType("order: on its way", lambda page, world: page.goto(world.on_its_way.order_url)),
    PageType("order: paid", lambda page, world: page.goto(world.paid.order_url)),
    PageType("order: canceled", _canceled_order),
    PageType(
        "order: cancel?",
        lambda page, world: page.goto(f"{world.to_pay.order_url}cancel/"),
    ),
    PageType("order: canceling unreachable", _cancel_failing, 503),
    *(PageType(f"order: {state}", partial(_order, state)) for state in STATES),
    PageType("orders", partial(_as_reader, "/orders/")),
    PageType("orders: none", partial(_as_newcomer, "/orders/")),
    PageType("what the API may answer with", "/api/problems/"),
    PageType("find order", "/orders/find/"),
    PageType(
        "find order: not found",
        partial(_refused_form, "/orders/find/", {"number": "X", "E-mail": "x@example.com"}),
        422,
    ),
    PageType("sign in", "/accounts/login/"),
    PageType("sign in: refused", partial(_refused_form, "/accounts/login/", {"Email": "x"})),
    PageType("sign up", "/accounts/signup/"),
    PageType("sign up: refused", partial(_refused_form, "/accounts/signup/", {"Email": "x"})),
    PageType("sign out", partial(_as_reader, "/accounts/logout/")),
    PageType("password reset", "/accounts/password/reset/"),
    PageType("password reset: mailed", _reset_requested),
    PageType("password reset: by link", _reset_by_link),
    PageType("password reset: bad link", "/accounts/password/reset/key/1-no-such-key/"),
    PageType("password reset: done", "/accounts/password/reset/key/done/"),
    PageType("account", partial(_as_reader, "/accounts/")),
    PageType("account: address not confirmed", partial(_as_newcomer, "/accounts/")),
    PageType("password change", partial(_as_reader, "/accounts/password/change/")),
    PageType("password change: refused", _password_change_refused),
    PageType("second step", _second_step),
    PageType("second step: refused", _second_step_refused),
    PageType("set up two steps", partial(_as_reader, "/accounts/two-steps/app/")),
    PageType("set up two steps: refused", _set_up_refused),
    *(
        PageType(name, partial(_signed_in, "just now", f"/accounts/{address}"))
        for name, address in (
            ("account: two steps", ""),
            ("another app", "two-steps/app/"),
            ("recovery codes", "two-steps/codes/"),
            ("recovery codes: new ones?", "two-steps/codes/new/"),
            ("turn off two steps?", "two-steps/off/"),
        )
    ),
    PageType("code again", partial(_signed_in, "a while ago", "/accounts/two-steps/app/")),
    PageType(
        "password again",
        partial(_signed_in, "by password, a while ago", "/accounts/two-steps/app/"),
    ),
    PageType("confirm address: bad link", "/accounts/confirm-email/no-such-key/"),
    PageType("account closed", "/accounts/inactive/"),
    PageType("not found", "/no/such/page/", 404),
    PageType("not allowed", _from_another_site, 403),
    PageType("form out of date", _without_cookie, 403),
    PageType("our own error", _own_error, 500),
    PageType("Stripe's page", lambda page, world: page.goto(world.to_pay.stripe_url)),
    PageType("Stripe's page: refused", _stripe_refusing, 422),
    PageType("Stripe's page: declined", _stripe_declining, 402),
    PageType("Stripe's page: the bank asks", _bank_asking),
    PageType("Stripe's page: complete", lambda page, world: page.goto(world.paid.stripe_url)),
    PageType(
        "Stripe's page: unknown",
        lambda page, world: page.goto(f"{world.demo.sandbox_url}/c/pay/cs_test_none"),
        404,
    ),
    PageType(
        "the sandbox's switches",
        lambda page, world: page.goto(f"{world.demo.sandbox_url}/_sandbox/"),
    ),
    # Last: for a minute nobody here can look for an order.
    PageType("too many tries", _too_often, 429),
)
