"""Reminding a buyer whose card was declined that his order can still be paid, once."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef

from orders import services as orders
from orders.models import Order, OrderEvent, OrderMail, OrderQuerySet, Reason
from payments.standings import standings

# Whoever is still trying cards is left in peace.
_QUIET = timedelta(minutes=10)
# Mails that say the same.
_SAY_SO = (OrderMail.Kind.REMINDER, OrderMail.Kind.PAYMENT_FAILED)


def remind_all(at: datetime) -> int:
    """Owe a reminder for every order that is due one, and return how many; safe to repeat."""
    return sum(_remind(order_id, at) for order_id in _due(Order.objects.all(), at))


@transaction.atomic
def _remind(order_id: int, at: datetime) -> bool:
    order = orders.lock(order_id)
    is_still_due = bool(_due(Order.objects.filter(pk=order_id), at))
    if is_still_due:
        orders.owe_mail(order=order, kind=OrderMail.Kind.REMINDER, cause="declined", at=at)
    return is_still_due


def _due(among: OrderQuerySet, at: datetime) -> list[int]:
    """Return the ids of the orders whose last card was declined a while ago, still to be paid."""
    declined = OrderEvent.objects.filter(order=OuterRef("pk"), reason=Reason.FAILED_CARD)
    told = OrderMail.objects.filter(order=OuterRef("pk"), kind__in=_SAY_SO)
    quiet = among.pending().filter(
        Exists(declined), ~Exists(declined.filter(happened_at__gt=at - _QUIET)), ~Exists(told)
    )
    return [standing.order.pk for standing in standings(quiet, at) if standing.is_payable]
