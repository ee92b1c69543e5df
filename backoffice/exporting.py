"""What the shop knows of a person, for himself: no secrets, and nothing of anybody else.

Who of the staff did or wrote something is no part of it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import Model

from accounts.models import User
from backoffice.customers import Customer
from backoffice.models import CustomerNote
from cart.models import CartLine
from orders.models import Fulfillment, Order
from payments.models import LedgerEntry

_AMOUNTS = (
    "subtotal_minor",
    "discount_minor",
    "shipping_minor",
    "tax_minor",
    "total_minor",
    "tax_included_minor",
)
_ORDER = ("number", "placed_at", "placed_by", "status", "email", "locale", "currency", *_AMOUNTS)
_PLACE = ("shipping_address", "billing_address", "client_ip", "cancel_note")
_LINE = ("title", "sku", "quantity", "unit_price_minor", "discount_minor", "tax_minor")
_PAYMENT = ("kind", "state", "closed_as", "amount_minor", "currency", "created_at")
_MOVED = ("kind", "means", "amount_minor", "currency", "occurred_at")
_REFUND = ("state", "why", "note", "amount_minor", "currency", "created_at")
_REQUEST = ("decision", "why", "note", "amount_minor", "currency", "asked_at")
_PARCEL = ("handed_over_at", "carrier", "tracking_number", "tracking_url", "delivered_at")
_NOTE = ("text", "written_at")


def export(*, customer: Customer, at: datetime) -> dict[str, Any]:
    """Return all that is known of a customer, ready for JSON; amounts are minor units.

    The number of queries does not depend on how much there is.
    """
    orders = customer.own_orders().order_by("placed_at", "pk")
    return {
        "shop": settings.SHOP_NAME,
        "exported_at": at,
        "email": customer.email,
        "account": _account(customer.user) if customer.user else None,
        "orders": [
            _order(order)
            for order in orders.prefetch_related(
                "lines",
                "attempts",
                "ledger",
                "refunds",
                "refund_requests",
                "mails",
                "notes",
                "events",
                "fulfillments__lines__line",
            )
        ],
        "notes": _rows(CustomerNote.objects.filter(email=customer.email), *_NOTE),
    }


def _account(user: User) -> dict[str, Any]:
    cart = CartLine.objects.filter(cart__user=user).select_related("variant")
    return {
        **_row(user, "public_id", "email", "name", "date_joined", "last_login", "is_active"),
        "addresses": _rows(EmailAddress.objects.filter(user=user), "email", "verified", "primary"),
        "second_steps": _rows(
            Authenticator.objects.filter(user=user), "type", "created_at", "last_used_at"
        ),
        "cart": [{"sku": line.variant.sku, **_row(line, "quantity", "added_at")} for line in cart],
    }


def _order(order: Order) -> dict[str, Any]:
    # What Stripe keeps for itself of a payment is the shop's affair.
    moved = [entry for entry in order.ledger.all() if entry.kind != LedgerEntry.Kind.FEE]
    return {
        **_row(order, *_ORDER, *_PLACE),
        "lines": _rows(order.lines.all(), *_LINE),
        "payments": _rows(order.attempts.all(), *_PAYMENT),
        "money": _rows(moved, *_MOVED),
        "refunds": _rows(order.refunds.all(), *_REFUND),
        "refunds_asked_for": _rows(order.refund_requests.all(), *_REQUEST),
        "parcels": [_parcel(parcel) for parcel in order.fulfillments.all()],
        "mails": _rows(order.mails.all(), "kind", "due_at", "sent_at"),
        "story": _rows(order.events.all(), "reason", "to_status", "happened_at"),
        "notes": _rows(order.notes.all(), *_NOTE),
    }


def _parcel(parcel: Fulfillment) -> dict[str, Any]:
    units = [{"sku": row.line.sku, "quantity": row.quantity} for row in parcel.lines.all()]
    return {**_row(parcel, *_PARCEL), "units": units}


def _rows(rows: Iterable[Model], *columns: str) -> list[dict[str, Any]]:
    return [_row(row, *columns) for row in rows]


def _row(row: Model, *columns: str) -> dict[str, Any]:
    return {column: getattr(row, column) for column in columns}
