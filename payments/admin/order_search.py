"""Finding orders by whatever staff have at hand; each way has its index, however many there are."""

import re
from typing import Any

from django.contrib.postgres.search import SearchQuery
from django.db.models import Q, QuerySet

from orders.models import Order, OrderLine
from orders.models.orders import NAME_WORDS
from payments.forms import normalized_number
from shop.models import Variant

HELP = (
    "Number, e-mail address or its beginning, name, SKU, or an id of Stripe's (cs_, pi_, ch_, re_, "
    "du_, evt_, txn_)."
)
# Of orders with one SKU or one name so many are looked at, the newest.
_MOST = 1_000
# Where the ids that Stripe's pages and mails name are kept here.
_STRIPE_IDS = {
    "cs": "attempts__session_id",
    "pi": "attempts__intent_id",
    "ch": "ledger__stripe_id",
    "py": "ledger__stripe_id",
    "txn": "ledger__stripe_id",
    "re": "refunds__stripe_id",
    "pyr": "refunds__stripe_id",
    "du": "disputes__stripe_id",
    "dp": "disputes__stripe_id",
    "evt": "inbox_events__event_id",
}


def search(orders: QuerySet[Order], words: str) -> QuerySet[Order]:
    """Keep the orders that the words typed are about."""
    term = words.strip()
    column = _STRIPE_IDS.get(term.partition("_")[0])
    if column and "@" not in term:
        named = Order.objects.filter(**{column: term})
        return orders.filter(pk__in=named.order_by().values("pk"))
    if "@" in term:
        return orders.filter(email__istartswith=term)
    if variant := Variant.objects.filter(sku__iexact=term).first():
        lines = OrderLine.objects.filter(variant=variant).order_by("-order_id")
        return orders.filter(pk__in=list(lines.values_list("order_id", flat=True)[:_MOST]))
    by_word = Q(number=normalized_number(term)) | Q(email__istartswith=term)
    found: Any = Order.objects.filter(by_word).order_by().values_list("id", flat=True)
    if names := re.findall(r"[^\W_]+", term):
        beginnings = " & ".join(f"{name}:*" for name in names)
        query = SearchQuery(beginnings, search_type="raw", config="simple")
        by_name = Order.objects.annotate(words=NAME_WORDS).filter(words=query)
        found = found.union(by_name.order_by().values_list("id", flat=True))
    # Read at once: how many will match is hard to foresee, and PostgreSQL may look at all orders.
    return orders.filter(pk__in=list(found.order_by("-id")[:_MOST]))
