"""Customers as a file: a line for each address that somebody ordered by."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Lower, Upper

from accounts.erased import is_erased
from accounts.models import User
from orders.models import Order
from payments.admin import order_search
from payments.models import LedgerEntry
from shop.csv_files import amount
from shop.exports import Sheet, in_portions

_COLUMNS = (
    "e-mail",
    "name",
    "account",
    "country",
    "orders",
    "first order (UTC)",
    "last order (UTC)",
    "currency",
    "worth",
)


def newest_orders(words: str) -> QuerySet[Order]:
    """Return the newest order of each customer that the words find, of all where there are none."""
    later = _of_address().filter(pk__gt=OuterRef("pk"))
    # Asked order by order, as EXISTS may be worked out for all of them for every portion.
    newest = Order.objects.alias(later=Subquery(later.values("pk")[:1])).filter(later=None)
    if not words:
        return newest
    found = order_search.search(Order.objects.all(), words).order_by()
    return newest.alias(upper=Upper("email")).filter(upper__in=found.values(upper=Upper("email")))


def _of_address() -> Any:
    """Return the orders by the address of the one that an outer query is about."""
    upper = Upper(OuterRef("email"))
    return Order.objects.annotate(upper=Upper("email")).filter(upper=upper).order_by()


def _rows(newest: QuerySet[Order]) -> Iterator[list[Any]]:
    by_address = _of_address().values("upper")
    entries: Any = LedgerEntry.objects.annotate(upper=Upper("order__email"))
    moved = entries.filter(upper=Upper(OuterRef("email")), currency=settings.SHOP_CURRENCY)
    kept = moved.exclude(kind=LedgerEntry.Kind.FEE).order_by().values("upper")
    accounts = User.objects.alias(lower=Lower("email")).filter(lower=Lower(OuterRef("email")))
    customers: Any = newest.annotate(
        account_name=Subquery(accounts.values("name")),
        orders=Subquery(by_address.annotate(count=Count("pk")).values("count")),
        first_at=Subquery(by_address.annotate(first=Min("placed_at")).values("first")),
        kept_minor=Coalesce(Subquery(kept.annotate(sum=Sum("amount_minor")).values("sum")), 0),
    )
    for order in in_portions(customers):
        if is_erased(order.email):
            continue
        address = order.shipping_address
        yield [
            order.email.lower(),
            order.account_name or address.get("name") or "",
            "no" if order.account_name is None else "yes",
            address.get("country") or "",
            order.orders,
            order.first_at,
            order.placed_at,
            settings.SHOP_CURRENCY,
            amount(order.kept_minor, settings.SHOP_CURRENCY),
        ]


SHEET = Sheet("customers", _COLUMNS, _rows)
