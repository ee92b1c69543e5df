"""Customers: whoever orders by an e-mail address, with an account or without."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower, Upper

from accounts.erased import is_erased
from accounts.models import User
from orders.models import Order
from payments.admin import order_search
from payments.models import LedgerEntry

# So many customers are found, among the buyers of so many orders.
_FOUND = 20
_LOOKED_AT = 200


@dataclass(frozen=True)
class Customer:
    """Who orders by an address, in lower case: an account, a guest, or both in turn."""

    email: str
    user: User | None

    @property
    def is_erased(self) -> bool:
        return is_erased(self.email)

    def orders(self) -> QuerySet[Order]:
        """Return the orders by the address, whoever placed them, and all of the account.

        Each way has its index, however many orders there are.
        """
        by_address: Any = Order.objects.alias(upper=Upper("email")).filter(upper=self.email.upper())
        found = by_address.order_by().values("pk")
        if self.user:
            found = found.union(self.user.orders.order_by().values("pk"))
        return Order.objects.filter(pk__in=found)

    def own_orders(self) -> QuerySet[Order]:
        """Return those that are surely his: none that another account placed by the address."""
        return self.orders().filter(Q(user=None) | Q(user=self.user))

    def other_addresses(self) -> list[str]:
        """Return by which other addresses the account ordered."""
        if self.user is None:
            return []
        emails = self.user.orders.order_by().values_list(Lower("email"), flat=True)
        return sorted(set(emails.distinct()) - {self.email})


@dataclass(frozen=True)
class Value:
    """What was paid in one currency, less what went back or banks took: minor units."""

    currency: str
    amount_minor: int


def customer_of(email: str) -> Customer:
    """Return who orders by this address; there may be no order, and no account."""
    email = email.strip().lower()
    user = User.objects.alias(lower=Lower("email")).filter(lower=email).first()
    return Customer(email, user)


def values_of(orders: QuerySet[Order]) -> list[Value]:
    """Return what these orders came to, by currency."""
    entries = LedgerEntry.objects.filter(order__in=orders.order_by().values("pk"))
    return [
        Value(
            sums["currency"],
            sums["captured"] + sums["manual"] + sums["given_back"] + sums["disputed"],
        )
        for sums in entries.sums()
    ]


def search(words: str) -> list[Customer]:
    """Return whom the words may mean, who ordered last first.

    They are an address or its beginning, a name, or what else finds an order; somebody who never
    ordered is found by his whole address.
    """
    orders = order_search.search(Order.objects.all(), words)
    ordered_by = orders.values_list(Lower("email"), flat=True)[:_LOOKED_AT]
    emails = list(dict.fromkeys(ordered_by))[:_FOUND]
    users = User.objects.annotate(lower=Lower("email"))
    accounts = {
        user.lower: user for user in users.filter(lower__in=[*emails, words.strip().lower()])
    }
    return [Customer(email, accounts.get(email)) for email in dict.fromkeys([*emails, *accounts])]
