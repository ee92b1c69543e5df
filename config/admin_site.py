"""The admin as a whole: what its browser policy allows, and its menu."""

from collections.abc import Callable
from typing import Any

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_update
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse, reverse_lazy

from config.doctor import page as doctor

# Unfold's Alpine evaluates the attributes of the page, and its colors and widths are inline styles.
_POLICY = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def policy(get_response: GetResponse) -> GetResponse:
    """Middleware: let the admin's pages, and no others, do what Unfold cannot do without."""
    relaxed = csp_update(_POLICY)(get_response)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        is_admin = request.path_info.startswith(reverse("admin:index"))
        return relaxed(request) if is_admin else get_response(request)

    return middleware


def _page(title: str, icon: str, model: str, view: str = "changelist") -> dict[str, Any]:
    """Return a menu entry for a page of `model` ("app.model"), shown to who may view it."""
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_{view}"),
        "permission": lambda request: any(
            request.user.has_perm(f"{app}.{verb}_{name}") for verb in ("view", "change")
        ),
    }


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the side menu in Unfold's form; it leaves out what this user may not see."""
    return _MENU


_MENU: list[dict[str, Any]] = [
    {
        "items": [
            _page("Orders", "receipt_long", "orders.order"),
            _page("Reviews", "rule", "orders.review"),
            _page("Refunds", "undo", "payments.refund"),
            _page("Disputes", "gavel", "payments.dispute"),
            _page("Payment attempts", "credit_card", "payments.paymentattempt"),
            _page("Ledger", "account_balance", "payments.ledgerentry"),
            _page("Books by day", "calendar_month", "payments.ledgerentry", view="days"),
        ],
    },
    {
        "title": "Catalog",
        "items": [
            _page("Products", "menu_book", "shop.product"),
            _page("Categories", "category", "shop.category"),
            _page("Stock", "inventory_2", "shop.variant"),
            _page("Stock movements", "swap_vert", "shop.stockmovement"),
        ],
    },
    {
        "title": "Machinery",
        "items": [
            _page("Inbox", "inbox", "payments.inboxevent"),
            _page("Jobs", "conveyor_belt", "procrastinate.procrastinatejob"),
            {
                "title": "Checkup",
                "icon": "stethoscope",
                "link": reverse_lazy("doctor"),
                "permission": lambda request: request.user.has_perm(doctor.PERMISSION),
            },
        ],
    },
    {
        "title": "People",
        "items": [
            _page("Users", "person", "accounts.user"),
            _page("Groups", "group", "auth.group"),
        ],
    },
    {
        "title": "Copies from Stripe",
        "collapsible": True,
        "items": [
            _page("Checkout sessions", "shopping_cart_checkout", "djstripe.session"),
            _page("Payment intents", "payments", "djstripe.paymentintent"),
            _page("Charges", "paid", "djstripe.charge"),
            _page("Balance transactions", "balance", "djstripe.balancetransaction"),
            _page("Refunds", "undo", "djstripe.refund"),
            _page("Disputes", "gavel", "djstripe.dispute"),
            _page("Customers", "badge", "djstripe.customer"),
            _page("Payment methods", "wallet", "djstripe.paymentmethod"),
            _page("Events", "bolt", "djstripe.event"),
            _page("Webhook endpoints", "webhook", "djstripe.webhookendpoint"),
            _page("Accounts", "domain", "djstripe.account"),
        ],
    },
]
