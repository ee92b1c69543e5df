"""Every endpoint of the API: who may call it, and how many queries that takes at most.

`python -m config.tests.api_surface` writes this table to docs/api-permissions.md, and
`test_api_permissions.py` holds the API to it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CALLERS = (
    "anonymous",
    "guest",
    "other guest",
    "buyer",
    "other buyer",
    "support",
    "warehouse",
    "accountant",
    "manager",
)
Statuses = tuple[int, ...]


def open_to_all(status: int = 200) -> Statuses:
    return (status,) * len(CALLERS)


def with_a_cart(status: int, without: int) -> Statuses:
    return (without, *open_to_all(status)[1:])


def signed_in(status: int = 200) -> Statuses:
    return (401, 401, 401, *open_to_all(status)[3:])


def owner(status: int = 200) -> Statuses:
    return (401, status, 404, status, *open_to_all(404)[4:])


def staff(status: int = 200, *, roles: str = "support warehouse manager") -> Statuses:
    """Return what each caller gets where only these roles of the staff may."""
    allowed = dict.fromkeys(roles.split(), status)
    return (401, 401, 401, 403, 403, *(allowed.get(role, 403) for role in CALLERS[5:]))


def manager(status: int = 200) -> Statuses:
    return staff(status, roles="manager")


@dataclass(frozen=True)
class Row:
    """A method of an endpoint: what each caller gets, and the most queries where it is allowed.

    `path` is below /api/, its braces are filled from the scene; `body` makes what is sent.
    """

    method: str
    path: str
    statuses: Statuses
    queries: int
    body: Callable[[Any], object] | None = None
    is_multipart: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


SURFACE = [
    Row("POST", "auth/register/", open_to_all(201), 25, lambda s: s.newcomer()),
    Row("POST", "auth/login/", open_to_all(), 18, lambda s: s.credentials()),
    Row("POST", "auth/logout/", signed_in(204), 9),
    Row("POST", "auth/refresh/", open_to_all(), 4, lambda s: s.refresh_token()),
    Row("POST", "auth/password/forgot/", open_to_all(202), 6, lambda s: s.address()),
    Row("POST", "auth/password/reset/", open_to_all(204), 5, lambda s: s.new_password()),
    Row("POST", "auth/password/change/", signed_in(204), 14, lambda s: s.changed_password()),
    Row("GET", "auth/me/", signed_in(), 3),
    Row("GET", "products/", open_to_all(), 3),
    Row("GET", "products/{slug}/", open_to_all(), 4),
    Row("GET", "categories/", open_to_all(), 1),
    Row("GET", "cart/", open_to_all(), 4),
    Row("DELETE", "cart/", open_to_all(), 5),
    Row("POST", "cart/lines/", open_to_all(), 10, lambda s: {"sku": s.sku}),
    Row("PUT", "cart/lines/{sku}/", with_a_cart(200, 404), 9, lambda s: {"quantity": 2}),
    Row("DELETE", "cart/lines/{sku}/", open_to_all(), 8),
    Row("POST", "checkout/", with_a_cart(201, 422), 43, lambda s: s.placing()),
    Row("GET", "orders/", signed_in(), 3),
    Row("POST", "orders/", with_a_cart(201, 422), 32, lambda s: s.placing()),
    Row("POST", "orders/find/", open_to_all(), 6, lambda s: s.found()),
    Row("GET", "orders/{number}/", owner(), 7),
    Row("POST", "orders/{number}/cancel/", owner(), 31),
    Row("POST", "orders/{number}/checkout-session/", owner(201), 20),
    Row("POST", "orders/{number}/payment-intent/", owner(201), 19),
    Row("GET", "orders/{number}/payment/", owner(), 4),
    Row("GET", "checkout-sessions/{session}/", owner(), 6),
    Row("GET", "payment-intents/{intent}/", owner(), 6),
    Row("GET", "admin/users/", staff(roles="support manager"), 5),
    Row("GET", "admin/users/{user}/", staff(roles="support manager"), 5),
    Row("POST", "admin/users/{user}/deactivate/", manager(), 10),
    Row("GET", "admin/orders/", staff(roles="support warehouse accountant manager"), 5),
    Row(
        "GET",
        "admin/orders/{number}/",
        staff(roles="support warehouse accountant manager"),
        16,
    ),
    Row("POST", "admin/orders/{paid}/fulfill/", staff(roles="warehouse manager"), 62),
    Row(
        "POST",
        "admin/orders/{number}/cancel/",
        staff(roles="support manager"),
        39,
        lambda s: {"note": "Sold out."},
    ),
    Row(
        "POST",
        "admin/orders/{paid}/refund/",
        staff(202, roles="support manager"),
        74,
        lambda s: {"why": "requested_by_customer"},
    ),
    Row("GET", "admin/products/", staff(), 5),
    Row("POST", "admin/products/", manager(201), 16, lambda s: s.product_input()),
    Row("GET", "admin/products/{slug}/", staff(), 7),
    Row("PATCH", "admin/products/{slug}/", manager(), 16, lambda s: {"title": "Persuasion"}),
    Row("DELETE", "admin/products/{unsold}/", manager(204), 15),
    Row("POST", "admin/products/{slug}/variants/", manager(201), 10, lambda s: s.variant_input()),
    Row(
        "POST",
        "admin/products/{slug}/images/",
        manager(201),
        11,
        lambda s: s.picture(),
        is_multipart=True,
    ),
    Row("PATCH", "admin/products/{slug}/images/{image}/", manager(), 10, lambda s: {"alt": "Sea"}),
    Row("DELETE", "admin/products/{slug}/images/{image}/", manager(204), 10),
    Row("GET", "admin/variants/{sku}/", staff(), 5),
    Row("PATCH", "admin/variants/{sku}/", manager(), 13, lambda s: {"price": 1_500}),
    Row("DELETE", "admin/variants/{unsold_sku}/", manager(204), 15),
    Row("POST", "admin/categories/", manager(201), 9, lambda s: {"name": "Poetry"}),
    Row("GET", "admin/categories/{category}/", staff(), 5),
    Row("PATCH", "admin/categories/{category}/", manager(), 11, lambda s: {"name": "Prose"}),
    Row("DELETE", "admin/categories/{empty_category}/", manager(204), 11),
    Row("GET", "admin/stock-movements/", staff(), 5),
    Row(
        "POST",
        "admin/stock-movements/",
        staff(201, roles="warehouse manager"),
        16,
        lambda s: s.delivery(),
    ),
    Row("GET", "admin/events/", manager(), 5),
    Row("POST", "admin/events/{event}/retry/", manager(202), 9),
    Row("GET", "schema/", open_to_all(), 0),
]


def shape(path: str) -> str:
    """Return a path, of this table or of Django's, with "{}" for what varies in it."""
    return re.sub(r"\{\w+\}|<\w+:\w+>", "{}", path)


PAGE = Path(__file__).resolve().parents[2] / "docs/api-permissions.md"
_HEAD = """\
# Who may call what

Every endpoint of [the API](api.md), below `/api/`, and what each kind of caller is answered. A
test asks each of these questions, and one fails for an endpoint that has no row here.

- **anonymous** sends no token.
- **guest** has the `Cart-Token` of a cart, and the `Order-Token` of the order that the address
  names; **other guest** has those of another order.
- **buyer** is the user whose order it is, **other buyer** any other.
- **support**, **warehouse**, **accountant** and **manager** are staff, with the
  [roles](back-office.md#roles) of the admin and no more; others can be made of the same rights.

Nothing is written where the answer is 401, 403 or 404. *Queries* are the most that the database is
asked where the answer is another; when staff write, each transaction has one more, which marks it
for the [audit log](adr/0038-a-trigger-logs-what-staff-change.md).

"""


def page() -> str:
    """Return docs/api-permissions.md, whole."""
    lines = [
        f"| | {' | '.join(CALLERS)} | queries |",
        f"| --- | {'--- | ' * len(CALLERS)}--- |",
    ]
    lines += [
        f"| `{row}` | {' | '.join(map(str, row.statuses))} | {row.queries} |" for row in SURFACE
    ]
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
