"""How much of an order's money can go back, and which units go along.

Amounts are minor units of the charge's currency; exact only under the order's lock.
"""

from collections import Counter
from collections.abc import Mapping

from django.conf import settings

from orders.models import Order, OrderLine
from payments.models import LedgerEntry, Refund
from payments.services import fulfilling, sums
from shop import money


def refundable_minor(*, order: Order, charge_id: str) -> int:
    """Return what is left of a charge to give back: neither refunded, nor being so, nor disputed.

    What was given back outside of Stripe is not given back once more. Exact only under the order's
    lock.
    """
    withheld = sums.withheld_minor(order=order, charge_id=charge_id)
    of_charge = sums.unrefunded_minor(order=order, charge_id=charge_id) - withheld
    capture = capture_of(order, charge_id)
    return max(min(of_charge, sums.kept(order)[capture.currency]), 0) if capture else 0


def amount_of_units(*, order: Order, quantities: Mapping[int, int]) -> int:
    """Return what was paid for units by order line id, in minor units of the order's currency.

    Units that were refunded before are passed over, so that all units of a line together come to
    exactly what was paid for it. Shipping goes back with the last unit of the order.
    """
    before = sums.refunded_quantities(order)
    lines = list(order.lines.all())
    amount_minor = sum(
        sum(_unit_prices(line)[before[line.pk] :][: quantities.get(line.pk, 0)]) for line in lines
    )
    if all(before[line.pk] + quantities.get(line.pk, 0) >= line.quantity for line in lines):
        amount_minor += order.total_minor - sum(sum(_unit_prices(line)) for line in lines)
    return amount_minor


def units_along(*, order: Order, amount_minor: int, currency: str) -> dict[int, int]:
    """Return the units by line id that go along with so much money, if no price names any.

    The last of a paid order's money takes along all that were not refunded; other money takes none.
    """
    is_last = not sums.is_any(sums.undisputed(order) - Counter({currency: amount_minor}))
    if not (order.is_paid and is_last):
        return {}
    taken = sums.refunded_quantities(order)
    return {
        line.pk: line.quantity - taken[line.pk]
        for line in order.lines.all()
        if line.quantity > taken[line.pk]
    }


def _unit_prices(line: OrderLine) -> list[int]:
    """Return what was paid for each unit: the line's discount and tax are shared out evenly."""
    discounts = money.share_out(line.discount_minor, line.quantity)
    taxes = money.share_out(line.tax_minor, line.quantity)
    return [
        line.unit_price_minor - discount + tax
        for discount, tax in zip(discounts, taxes, strict=True)
    ]


def unsent_first(*, order: Order, quantities: Mapping[int, int]) -> dict[int, int]:
    """Return how many of units by line id had left the house, if those that had not go first."""
    unsent = fulfilling.left_to_hand_over(order)
    return {pk: max(units - unsent.get(pk, 0), 0) for pk, units in quantities.items()}


def needs_second_person(*, order: Order, amount_minor: int, currency: str) -> bool:
    """Tell whether this refund is above what one of staff may give back of an order by himself.

    What was given back of it without a second person's word counts, so that nobody asks for a large
    sum in small parts.
    """
    limit_minor: int = settings.REFUND_LIMIT_MINOR
    approved = order.refund_requests.filter(decision="approved")
    alone = order.refunds.standing().filter(source=Refund.Source.STAFF, currency=currency)
    alone = alone.exclude(key__in=approved.values("key"))
    return 0 < limit_minor < amount_minor + sums.total_minor(alone)


def capture_of(order: Order, charge_id: str) -> LedgerEntry | None:
    """Return the entry of a charge, with its attempt, or None where the order has no such."""
    return order.ledger.capture_of(charge_id).select_related("attempt").first()
