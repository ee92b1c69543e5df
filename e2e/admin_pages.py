"""Every type of page of the admin that is our own, and how to get there in a browser of staff."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from e2e.steps import READER


@dataclass(frozen=True)
class AdminPage:
    """Its address, in which {name} is the id of one of e2e/admin_rows.py, and steps from there."""

    name: str
    address: str
    go_on: Callable[[Page], None] = lambda page: None

    def open(self, page: Page, rows: dict[str, str]) -> None:
        answer = page.goto("/admin/" + self.address.format_map(rows))
        assert answer
        assert answer.status == 200, answer.url
        self.go_on(page)


def _field(page: Page, name: str) -> Locator:
    return page.locator(f"#content [name={name}]")


def _continue(page: Page, button: str = "Continue") -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=button, exact=True).click()


def _ask(page: Page) -> None:
    """Send a form, and be on the page that says what it would do."""
    _continue(page)
    expect(page.locator("[name=confirmed]")).to_be_visible()


def _hand_over(page: Page) -> None:
    _field(page, "tracking_number").fill("JD014600003828")
    _ask(page)


def _refund(page: Page) -> None:
    _field(page, "what").first.check()
    _field(page, "why").select_option(index=1)
    _field(page, "note").fill("All of them wet")
    _ask(page)


def _cancel(page: Page) -> None:
    _field(page, "note").fill("The printer let us down.")
    _ask(page)


def _book_by_hand(page: Page) -> None:
    _field(page, "direction").last.check()
    _field(page, "amount").fill("5")
    _field(page, "means").select_option(index=1)
    _field(page, "note").fill("At the counter")
    _ask(page)


def _find_books(page: Page) -> None:
    _field(page, "words").fill("Walden")
    _continue(page, "Search, and take over units")


def _order_for_somebody(page: Page) -> None:
    _find_books(page)
    page.get_by_label("Units of Walden").first.fill("1")
    _field(page, "email").fill("caller@example.com")
    _field(page, "name").fill("Ada Reader")
    _field(page, "line1").fill("1 Long Lane")
    _field(page, "postal_code").fill("10115")
    _field(page, "city").fill("Berlin")
    _field(page, "country").select_option("DE")
    _field(page, "paid").first.check()
    _ask(page)


def _tick_all(deed: str) -> Callable[[Page], None]:
    def go_on(page: Page) -> None:
        page.locator("#action-toggle").check()
        page.locator("select[name=action]").select_option(deed)
        _continue(page, "Run")

    return go_on


def _receive(page: Page) -> None:
    _field(page, "reference").fill("Note 12")
    _field(page, "lines").fill("BK-001-P;2")
    _ask(page)


def _change_prices(page: Page) -> None:
    _field(page, "category").select_option(label="Fiction")
    _field(page, "figure").fill("10")
    _ask(page)


def _refuse_price(page: Page) -> None:
    page.locator("#result_list input[type=text]").first.fill("dear")
    with page.expect_navigation():
        page.get_by_role("button", name="Save prices").first.click()


def _look_over_nothing(page: Page) -> None:
    _continue(page, "Look it over")


def _erase(page: Page) -> None:
    _field(page, "why").select_option(index=1)
    _ask(page)


ORDERS = ("to_send", "unpaid", "returned", "sent", "reviewed", "asked", "disputed", "lost")
LISTS = {
    "orders": "orders/order/",
    "reviews": "orders/review/",
    "refunds": "payments/refund/",
    "refunds to approve": "payments/refundrequest/",
    "disputes": "payments/dispute/",
    "attempts": "payments/paymentattempt/",
    "ledger": "payments/ledgerentry/",
    "inbox": "payments/inboxevent/",
    "jobs": "procrastinate/procrastinatejob/",
    "products": "shop/product/",
    "categories": "shop/category/",
    "prices and stock": "shop/variant/",
    "stock movements": "shop/stockmovement/",
    "imports": "backoffice/importrun/",
    "users": "accounts/user/",
    "changes by staff": "backoffice/auditentry/",
    "erasures": "backoffice/erasure/",
}
ADMIN_PAGES = (
    AdminPage("front page", ""),
    AdminPage("front page: 90 days", "?days=90"),
    *(AdminPage(name, address) for name, address in LISTS.items()),
    AdminPage("orders: nothing found", "orders/order/?q=nobody@example.com"),
    *(AdminPage(f"order: {name}", f"orders/order/{{{name}}}/change/") for name in ORDERS),
    AdminPage("hand over", "orders/order/{to_send}/hand_over/"),
    AdminPage("hand over?", "orders/order/{to_send}/hand_over/", _hand_over),
    AdminPage("hand over many?", "orders/order/", _tick_all("hand_over_selected")),
    AdminPage("delivered", "orders/order/{sent}/delivered/"),
    AdminPage("refund", "orders/order/{to_send}/refund/"),
    AdminPage("refund: refused", "orders/order/{to_send}/refund/", _continue),
    AdminPage("refund?", "orders/order/{to_send}/refund/", _refund),
    AdminPage("cancel", "orders/order/{unpaid}/cancel/"),
    AdminPage("cancel?", "orders/order/{unpaid}/cancel/", _cancel),
    AdminPage("put back", "orders/order/{lost}/put_back/"),
    AdminPage("change the address", "orders/order/{to_send}/address/"),
    AdminPage("change the address?", "orders/order/{to_send}/address/", _ask),
    AdminPage("send a mail again", "orders/order/{to_send}/send_again/"),
    AdminPage("money by hand", "orders/order/{to_send}/book_by_hand/"),
    AdminPage("money by hand?", "orders/order/{to_send}/book_by_hand/", _book_by_hand),
    AdminPage("packing slip", "orders/order/{to_send}/packing_slip/"),
    AdminPage("invoice", "orders/order/{to_send}/invoice/"),
    AdminPage("new order", "orders/order/new_order/"),
    AdminPage("new order: books found", "orders/order/new_order/", _find_books),
    AdminPage("new order?", "orders/order/new_order/", _order_for_somebody),
    AdminPage("review", "orders/review/{review}/change/"),
    AdminPage("settle a review", "orders/review/{review}/settle/"),
    AdminPage("a refund", "payments/refund/{refund}/change/"),
    AdminPage("refund to approve", "payments/refundrequest/{request}/change/"),
    AdminPage("approve", "payments/refundrequest/{request}/approve/"),
    AdminPage("decline", "payments/refundrequest/{request}/decline/"),
    AdminPage("dispute", "payments/dispute/{dispute}/change/"),
    AdminPage("attempt", "payments/paymentattempt/{attempt}/change/"),
    AdminPage("entry of the ledger", "payments/ledgerentry/{entry_of_ledger}/change/"),
    AdminPage("books by day", "payments/ledgerentry/days/"),
    AdminPage("event", "payments/inboxevent/{event}/change/"),
    AdminPage(
        "set events aside", "payments/inboxevent/?state=failed", _tick_all("set_aside_selected")
    ),
    AdminPage("checkup", "doctor/"),
    AdminPage("product", "shop/product/{product}/change/"),
    AdminPage("product: new", "shop/product/add/"),
    AdminPage("category", "shop/category/{category}/change/"),
    AdminPage("prices: refused", "shop/variant/", _refuse_price),
    AdminPage("variant", "shop/variant/{variant}/change/"),
    AdminPage("receive goods", "shop/variant/receive_goods/"),
    AdminPage("receive goods: refused", "shop/variant/receive_goods/", _continue),
    AdminPage("receive goods?", "shop/variant/receive_goods/", _receive),
    AdminPage("count stock", "shop/variant/count/"),
    AdminPage("change prices", "shop/variant/change_prices/"),
    AdminPage("change prices?", "shop/variant/change_prices/", _change_prices),
    AdminPage("new import", "backoffice/importrun/new_import/"),
    AdminPage("new import: refused", "backoffice/importrun/new_import/", _look_over_nothing),
    AdminPage("import", "backoffice/importrun/{checked}/change/"),
    AdminPage("import: done", "backoffice/importrun/{imported}/change/"),
    AdminPage("customers", "customers/"),
    AdminPage("customers found", "customers/?q=reader"),
    AdminPage("customer", f"customers/one/?email={READER}"),
    AdminPage("erase", f"customers/one/erase/?email={READER}"),
    AdminPage("erase?", f"customers/one/erase/?email={READER}", _erase),
    AdminPage("user", "accounts/user/{user}/change/"),
    AdminPage("change by staff", "backoffice/auditentry/{entry}/change/"),
    AdminPage("history", "orders/order/{to_send}/history/"),
)
