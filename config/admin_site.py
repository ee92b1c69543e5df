"""The admin as a whole: who is let in, what its browser policy allows, and its menu."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_update
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse, reverse_lazy
from django_htmx.http import HttpResponseClientRedirect

from api.staff import Lack, lack
from backoffice.admin import customers
from config.doctor import page as doctor

# Unfold's Alpine evaluates the attributes of the page, and its colors and widths are inline styles.
_POLICY = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def policy(get_response: GetResponse) -> GetResponse:
    """Middleware: let the admin's pages, and no others, do what Unfold cannot do without."""
    relaxed = csp_update(_POLICY)(get_response)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return relaxed(request) if _is_admin(request.path) else get_response(request)

    return middleware


def gate(get_response: GetResponse) -> GetResponse:
    """Middleware: let no page of the admin answer staff whose sign-in lacks something.

    A middleware goes by the address alone: nothing mounted below it, by whomever, can forget to
    ask, and the answer is a way on. The site's `has_permission` knows only yes and no.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        is_for_staff = _is_admin(request.path) and request.user.is_staff
        if not is_for_staff or _signs_out(request):
            return get_response(request)
        match lack(request.user, request.session):
            case Lack.SIGN_IN:
                logout(request)
                messages.info(request, "Please sign in again to go on with the work of staff.")
                return _lead(request, "account_login")
            case Lack.SECOND_FACTOR:
                return _lead(request, "mfa_activate_totp")
        return get_response(request)

    return middleware


def _is_admin(path: str) -> bool:
    return path.startswith(reverse("admin:index"))


def _signs_out(request: HttpRequest) -> bool:
    return request.method == "POST" and request.path == reverse("admin:logout")


def _lead(request: HttpRequest, name: str) -> HttpResponseBase:
    """Send somebody to a page that leads back to the one he wanted."""
    is_of_script = "HX-Request" in request.headers
    is_page = request.method in {"GET", "HEAD"} and not is_of_script
    wanted = request.get_full_path() if is_page else _page_before(request)
    address = f"{reverse(name)}?{urlencode({'next': wanted})}"
    return HttpResponseClientRedirect(address) if is_of_script else HttpResponseRedirect(address)


def _page_before(request: HttpRequest) -> str:
    """Return the page of the admin whose button was pressed; else its first one."""
    before = urlsplit(request.headers.get("Referer", ""))
    if before.netloc != request.get_host() or not _is_admin(before.path):
        return reverse("admin:index")
    return before._replace(scheme="", netloc="", fragment="").geturl()


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
            _page("Refunds to approve", "approval_delegation", "payments.refundrequest"),
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
            _page("Prices and stock", "inventory_2", "shop.variant"),
            {
                "title": "Receive goods",
                "icon": "local_shipping",
                "link": reverse_lazy("admin:shop_variant_receive_goods"),
                "permission": lambda request: request.user.has_perm("shop.move_stock"),
            },
            _page("Stock movements", "swap_vert", "shop.stockmovement"),
            _page("Imports", "upload_file", "backoffice.importrun"),
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
            {
                "title": "Customers",
                "icon": "groups",
                "link": reverse_lazy("customers"),
                "permission": lambda request: request.user.has_perms(customers.VIEW),
            },
            _page("Users", "person", "accounts.user"),
            _page("Groups", "group", "auth.group"),
            _page("Changes by staff", "manage_history", "backoffice.auditentry"),
            _page("Erasures", "person_off", "backoffice.erasure"),
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
