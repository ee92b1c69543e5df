"""An order as its buyer is shown it, on its page and as JSON."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.http import Http404
from structlog.contextvars import bind_contextvars

from orders.models import Fulfillment, Order
from payments.standings import Standing, standings
from payments.story import Entry, MoneyBack, money_back, story


@dataclass(frozen=True, slots=True)
class ShownOrder:
    """Where an order stands, what goes back of its money, and what happened to it."""

    standing: Standing
    money_back: list[MoneyBack]
    story: list[Entry]
    fulfillments: list[Fulfillment]

    @property
    def order(self) -> Order:
        return self.standing.order


def read_order(asked_for: QuerySet[Order], at: datetime) -> ShownOrder:
    """Read the one order that was asked for; raises Http404 if it is none."""
    found = standings(asked_for, at)
    if not found:
        raise Http404("no such order")
    (standing,) = found
    bind_contextvars(order_number=standing.order.number)
    refunds = list(standing.order.refunds.all())
    sent = list(standing.order.fulfillments.prefetch_related("lines__line"))
    return ShownOrder(standing, money_back(refunds, at), story(standing.order, refunds), sent)
