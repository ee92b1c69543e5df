"""What the days of the shop came to. Days are of UTC, amounts minor units of the shop's currency.

Days that are over are counted once by a job and kept; only today is counted when somebody looks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from backoffice.models import DayFigures, TopProduct
from cart.models import Cart
from orders.models import Order, OrderLine, Status
from payments.models import LedgerEntry

# The longest range of the front page, and the one before it.
KEPT_DAYS = 180
RANGES = (1, 7, 30, 90)
_TOP = 5
# Orders of the last days may still be paid, or turn out not to be.
_UNSETTLED_DAYS = 8
_PAID = (Status.PAID, Status.FULFILLED, Status.REFUNDED)
_SUMMED = (
    "carts",
    "cart_orders",
    "cart_paid",
    "orders",
    "paid",
    "paid_minor",
    "captured_minor",
    "refunded_minor",
)


@dataclass(frozen=True)
class Figures:
    """What some days came to, taken together."""

    carts: int
    cart_orders: int
    cart_paid: int
    orders: int
    paid: int
    paid_minor: int
    captured_minor: int
    refunded_minor: int

    @property
    def revenue_minor(self) -> int:
        return self.captured_minor - self.refunded_minor

    @property
    def average_minor(self) -> int:
        """What an order that was paid came to; 0 where there is none."""
        return self.paid_minor // self.paid if self.paid else 0


def count(first: date, last: date, *, at: datetime) -> list[DayFigures]:
    """Count each day from `first` to `last`; the rows are not saved."""
    start = datetime.combine(first, time(), UTC)
    end = datetime.combine(last + timedelta(days=1), time(), UTC)
    carts = _per_day(
        Cart.objects.filter(created_at__gte=start, created_at__lt=end, merged_into=None),
        "created_at",
        carts=Count("pk"),
    )
    # One cart's orders that replaced each other are one. Those of staff have no cart.
    orders = _per_day(
        Order.objects.filter(placed_at__gte=start, placed_at__lt=end, currency=_currency()),
        "placed_at",
        cart_orders=Count("cart", distinct=True),
        cart_paid=Count("cart", distinct=True, filter=Q(status__in=_PAID)),
        orders=Count("cart", distinct=True) + Count("pk", filter=Q(cart=None)),
        paid=Count("pk", filter=Q(status__in=_PAID)),
        paid_minor=Sum("total_minor", filter=Q(status__in=_PAID), default=0),
    )
    entries = LedgerEntry.objects.filter(
        occurred_at__gte=start, occurred_at__lt=end, currency=_currency()
    )
    received = _per_day(entries.received(), "occurred_at", captured_minor=Sum("amount_minor"))
    returned = _per_day(entries.given_back(), "occurred_at", refunded_minor=-Sum("amount_minor"))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    found = [carts, orders, received, returned]
    return [
        DayFigures(
            day=day,
            currency=_currency(),
            counted_at=at,
            **_of_day(day, found),
        )
        for day in days
    ]


def refresh(*, at: datetime) -> int:
    """Count the days that are over and not settled, or were never counted; return how many.

    Safe to repeat, and at the same time: each counts the same.
    """
    today = at.date()
    oldest = today - timedelta(days=KEPT_DAYS)
    kept = DayFigures.objects.filter(day__gte=oldest, currency=_currency())
    known = set(kept.values_list("day", flat=True))
    unsettled = today - timedelta(days=_UNSETTLED_DAYS)
    wanted = [oldest + timedelta(days=number) for number in range(KEPT_DAYS)]
    due = [day for day in wanted if day >= unsettled or day not in known]
    for first, last in _spans(due):
        DayFigures.objects.bulk_create(
            count(first, last, at=at),
            update_conflicts=True,
            unique_fields=["day"],
            update_fields=["currency", *_SUMMED, "counted_at"],
        )
    DayFigures.objects.filter(day__lt=oldest).delete()
    return len(due)


@transaction.atomic
def refresh_top_products(*, at: datetime) -> None:
    """Count what sold best in each range, today included. Safe to repeat, not at the same time."""
    TopProduct.objects.all().delete()
    for days in RANGES:
        start = datetime.combine(at.date() - timedelta(days=days - 1), time(), UTC)
        TopProduct.objects.bulk_create(
            TopProduct(
                days=days,
                rank=rank,
                product_id=row["variant__product"],
                units=row["units"],
                amount_minor=row["amount_minor"],
                currency=_currency(),
            )
            for rank, row in enumerate(_best(start), start=1)
        )


def _best(start: datetime) -> list[Any]:
    sold = OrderLine.objects.filter(
        order__placed_at__gte=start, order__status__in=_PAID, order__currency=_currency()
    )
    per_product = sold.order_by().values("variant__product")
    amount = Sum(F("unit_price_minor") * F("quantity") - F("discount_minor"))
    counted = per_product.annotate(units=Sum("quantity"), amount_minor=amount)
    return list(counted.order_by("-units", "-amount_minor", "variant__product")[:_TOP])


def between(days: Iterable[DayFigures], first: date, last: date) -> Figures:
    """Return what the days from `first` to `last` came to."""
    some = [row for row in days if first <= row.day <= last]
    return Figures(**{name: sum(getattr(row, name) for row in some) for name in _SUMMED})


def kept(*, at: datetime) -> list[DayFigures]:
    """Return all days that the front page may speak of, oldest first: those kept, and today."""
    today = at.date()
    rows = DayFigures.objects.filter(
        day__gte=today - timedelta(days=KEPT_DAYS), day__lt=today, currency=_currency()
    )
    return [*rows.order_by("day"), *count(today, today, at=at)]


def _currency() -> str:
    return settings.SHOP_CURRENCY


def _per_day(rows: QuerySet[Any], moment: str, **sums: Any) -> dict[date, dict[str, int]]:
    counted = rows.order_by().annotate(day=TruncDate(moment, tzinfo=UTC)).values("day")
    return {row.pop("day"): row for row in counted.annotate(**sums)}


def _of_day(day: date, parts: Iterable[dict[date, dict[str, int]]]) -> dict[str, int]:
    sums = dict.fromkeys(_SUMMED, 0)
    for part in parts:
        sums |= part.get(day, {})
    return sums


def _spans(days: Sequence[date]) -> list[tuple[date, date]]:
    """Return days in their order as spans without gaps."""
    spans: list[tuple[date, date]] = []
    for day in days:
        if spans and day - spans[-1][1] == timedelta(days=1):
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans
