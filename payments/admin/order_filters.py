"""Which orders a list shows, in the words of the day's work."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from orders.models import Fulfillment, Order, Review, Status
from payments.models import Dispute, LedgerEntry, Refund, RefundRequest


def open_reviews() -> QuerySet[Review]:
    return Review.objects.open().filter(order=OuterRef("pk"))


def _of_order(rows: QuerySet[Any]) -> Exists:
    return Exists(rows.filter(order=OuterRef("pk")))


def to_fulfill() -> Q:
    """Return what keeps orders of which something is to be handed over, and may be."""
    is_held = Exists(open_reviews()) | _of_order(Dispute.objects.open())
    return Q(status=Status.PAID) & ~is_held


class OpenReviewFilter(admin.SimpleListFilter):
    title = "open review"
    parameter_name = "open_review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() is None:
            return queryset
        has_open_review = Q(Exists(open_reviews()))
        return queryset.filter(has_open_review if self.value() == "yes" else ~has_open_review)


class GoodsFilter(admin.SimpleListFilter):
    """Orders by where their goods are."""

    title = "goods"
    parameter_name = "goods"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("due", "To hand over"),
            ("partly", "Partly handed over"),
            ("on_the_way", "On their way"),
            ("delivered", "Delivered"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        on_the_way = _of_order(Fulfillment.objects.filter(delivered_at=None))
        match self.value():
            case "due":
                return queryset.filter(to_fulfill())
            case "partly":
                sent = _of_order(Fulfillment.objects.all())
                return queryset.filter(sent, status=Status.PAID)
            case "on_the_way":
                return queryset.filter(on_the_way, status__in=[Status.PAID, Status.FULFILLED])
            case "delivered":
                return queryset.filter(~on_the_way, status=Status.FULFILLED)
            case _:
                return queryset


class MoneyFilter(admin.SimpleListFilter):
    """Orders by where their money is."""

    title = "money"
    parameter_name = "money"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("waiting", "Refund waits for a second person"),
            ("refunding", "Refund on its way"),
            ("partly", "Partly refunded"),
            ("by_hand", "Entered by hand"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        match self.value():
            case "waiting":
                return queryset.filter(_of_order(RefundRequest.objects.filter(decision="")))
            case "refunding":
                return queryset.filter(_of_order(Refund.objects.unfinished()))
            case "partly":
                returned = Refund.objects.filter(state=Refund.State.SUCCEEDED)
                is_paid = Q(status__in=[Status.PAID, Status.FULFILLED])
                return queryset.filter(is_paid, _of_order(returned))
            case "by_hand":
                by_hand = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.MANUAL)
                return queryset.filter(_of_order(by_hand))
            case _:
                return queryset
