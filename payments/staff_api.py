"""Orders and Stripe's events, for staff: what the admin's buttons do, by the same services."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from api.idempotency import idempotent, is_resumed, key_of
from api.pages import NewestFirst
from api.problems import Code, Problem, invalid
from api.schema import operation
from api.views import StaffView
from orders.models import Order, Reason, Review
from orders.parcels import Parcel
from payments.api import STRIPE_PROBLEMS, PaymentsView
from payments.models import Dispute, InboxEvent, LedgerEntry
from payments.reading import read_order
from payments.services import canceling, fulfilling, inbox, refund_amounts, refund_requests, refunds
from payments.staff_serializers import (
    AskRefundSerializer,
    CancelSerializer,
    FulfillSerializer,
    InboxEventSerializer,
    InboxQuery,
    OrderQuery,
    OrderRowSerializer,
    StaffOrderSerializer,
)
from shop.clock import now


class OfficeView(PaymentsView, StaffView):
    """For staff, on orders and what Stripe told."""

    @property
    def by(self) -> int:
        """The id of who asks."""
        return cast(User, self.request.user).pk

    def problem_of(self, error: Exception) -> Problem | None:
        match error:
            case fulfilling.CannotHandOver():
                return Problem(Code.NOT_FULFILLABLE, str(error))
            case refunds.CannotRefund():
                return Problem(Code.NOT_REFUNDABLE, str(error))
            case canceling.CannotCancel():
                return Problem(Code.NOT_CANCELABLE, str(error))
        return super().problem_of(error)


def _order_json(order_id: int) -> Any:
    orders = Order.objects.filter(pk=order_id).select_related("user")
    return StaffOrderSerializer(read_order(orders, now())).data


class Orders(OfficeView):
    rights = {"GET": "orders.view_order"}
    pagination_class = NewestFirst

    @operation("listAllOrders", {200: OrderRowSerializer(many=True)}, query=OrderQuery)
    def get(self, request: Request) -> Response:
        """List all orders, newest first."""
        return self.listed(_asked_for(self.read_query(OrderQuery)), OrderRowSerializer)


def _asked_for(asked: dict[str, Any]) -> QuerySet[Order]:
    orders = Order.objects.select_related("user").annotate(
        is_in_review=Exists(Review.objects.open().filter(order=OuterRef("pk"))),
        is_disputed=Exists(Dispute.objects.open().filter(order=OuterRef("pk"))),
    )
    if words := asked.pop("search", None):
        orders = orders.filter(Q(number__icontains=words) | Q(email__icontains=words))
    if start := asked.pop("placed_from", None):
        orders = orders.filter(placed_at__gte=start)
    if end := asked.pop("placed_before", None):
        orders = orders.filter(placed_at__lt=end)
    return orders.filter(**asked)


class OrderDetail(OfficeView):
    rights = {"GET": "orders.view_order"}

    @operation("getAnyOrder", {200: StaffOrderSerializer})
    def get(self, request: Request, number: str) -> Response:
        """Show an order with its books."""
        return Response(_order_json(get_object_or_404(Order, number=number).pk))


class Fulfill(OfficeView):
    rights = {"POST": "orders.fulfill_order"}

    @operation(
        "fulfillOrder",
        {200: StaffOrderSerializer},
        takes=FulfillSerializer,
        problems=[Code.NOT_FULFILLABLE],
    )
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Note that units were handed over. The last of them makes the order fulfilled."""
        order = get_object_or_404(Order, number=number)
        asked = self.read(FulfillSerializer)
        quantities = (
            _units(order, asked["lines"])
            if "lines" in asked
            else fulfilling.left_to_hand_over(order)
        )
        fulfilling.hand_over(
            order_id=order.pk,
            quantities={pk: units for pk, units in quantities.items() if units},
            parcel=Parcel(asked["carrier"], asked["tracking_number"]),
            is_told=asked["tell_buyer"],
            by=self.by,
            at=now(),
            key=key_of(request),
        )
        return Response(_order_json(order.pk))


def _units(order: Order, asked: list[dict[str, Any]]) -> Mapping[int, int]:
    """Return units by line id; raises the problem of a SKU that is not the order's, or is twice."""
    ids = dict(order.lines.values_list("sku", "pk"))
    units: dict[int, int] = {}
    for number, line in enumerate(asked):
        if line["sku"] not in ids:
            raise invalid(f"lines.{number}.sku", "The order has no such SKU.", "does_not_exist")
        if ids[line["sku"]] in units:
            raise invalid(f"lines.{number}.sku", "Name each SKU once.", "unique")
        units[ids[line["sku"]]] = line["quantity"]
    return units


class Cancel(OfficeView):
    rights = {"POST": "orders.change_order"}

    @operation(
        "cancelAnyOrder",
        {200: StaffOrderSerializer},
        takes=CancelSerializer,
        problems=[Code.NOT_CANCELABLE, *STRIPE_PROBLEMS],
    )
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Cancel an unpaid order. A mail tells the buyer why."""
        order = get_object_or_404(Order, number=number)
        note = self.read(CancelSerializer)["note"]
        try:
            canceling.cancel(
                order_id=order.pk,
                reason=Reason.STAFF,
                by=self.by,
                note=note,
                at=now(),
            )
        except canceling.CannotCancel as error:
            if not (is_resumed(request) and error.order.is_canceled):
                raise
        return Response(_order_json(order.pk))


class Refund(OfficeView):
    rights = {"POST": "payments.add_refund"}

    @operation(
        "refundOrder",
        {202: StaffOrderSerializer},
        takes=AskRefundSerializer,
        problems=[Code.NOT_REFUNDABLE],
    )
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Give money back. A job tells Stripe, so the refund is under way when this answers.

        Above the shop's limit it waits for a second person's approval instead, in the admin. An
        order that cost nothing is called off: its units go back on the shelf.
        """
        order = get_object_or_404(Order, number=number)
        asked = self.read(AskRefundSerializer)
        if not order.total_minor:
            self._call_off(order, asked)
        # One that was asked for and never answered: what is left is less by it since.
        elif not _was_asked(order, key_of(request)):
            self._ask(order, asked)
        return Response(_order_json(order.pk), status=202)

    def _call_off(self, order: Order, asked: dict[str, Any]) -> None:
        for name in ("lines", "amount", "charge_id"):
            if name in asked:
                raise invalid(name, "This order cost nothing: it is called off as a whole.")
        try:
            refunds.call_off(order_id=order.pk, by=self.by, at=now())
        except refunds.CannotRefund:
            order.refresh_from_db()
            if not (is_resumed(self.request) and order.status == Order.Status.REFUNDED):
                raise

    def _ask(self, order: Order, asked: dict[str, Any]) -> None:
        capture = _capture(order, asked.get("charge_id"))
        quantities = _units(order, asked.get("lines", []))
        left_minor = refund_amounts.refundable_minor(order=order, charge_id=capture.stripe_id or "")
        amount_minor = asked.get("amount", left_minor)
        if quantities:
            if capture.currency != order.currency:
                raise invalid("lines", f"Units are priced in {order.currency}: ask for an amount.")
            price_minor = refund_amounts.amount_of_units(order=order, quantities=quantities)
            amount_minor = min(price_minor, left_minor)
        elif "amount" not in asked:
            quantities = refund_amounts.units_along(
                order=order, amount_minor=amount_minor, currency=capture.currency
            )
        refund_requests.ask(
            order_id=order.pk,
            charge_id=capture.stripe_id or "",
            amount_minor=amount_minor,
            why=asked["why"],
            by=self.by,
            at=now(),
            quantities=quantities,
            restock=asked["restock"],
            note=asked["note"],
            key=key_of(self.request),
        )


def _was_asked(order: Order, key: UUID | None) -> bool:
    """Tell whether a refund was asked for under this key, or waits for a second person."""
    if key is None:
        return False
    is_asked = order.refunds.filter(key=key).exists()
    return is_asked or order.refund_requests.filter(key=key).exists()


def _capture(order: Order, charge_id: str | None) -> LedgerEntry:
    """Return the payment that is meant; raises the problem of there being none, or several."""
    captures = order.ledger.filter(kind=LedgerEntry.Kind.CAPTURE)
    if charge_id:
        captures = captures.filter(stripe_id=charge_id)
    found = list(captures)
    if not found:
        raise Problem(Code.NOT_REFUNDABLE, "This order has no such payment.")
    if len(found) > 1:
        raise invalid("charge_id", "This order was paid more than once: say which.", "required")
    return found[0]


class Inbox(OfficeView):
    rights = {"GET": "payments.view_inboxevent"}
    pagination_class = NewestFirst

    @operation("listEvents", {200: InboxEventSerializer(many=True)}, query=InboxQuery)
    def get(self, request: Request) -> Response:
        """List what Stripe told the shop, newest first."""
        asked = self.read_query(InboxQuery)
        events = InboxEvent.objects.defer("payload").select_related("order")
        if number := asked.pop("order", None):
            events = events.filter(order__number=number)
        return self.listed(events.filter(**asked), InboxEventSerializer)


class Retry(OfficeView):
    rights = {"POST": "payments.change_inboxevent"}

    @operation("retryEvent", {202: InboxEventSerializer}, problems=[Code.NOT_RETRYABLE])
    def post(self, request: Request, event_id: str) -> Response:
        """Have a failed event processed again. What was done already is not done twice."""
        events = InboxEvent.objects.defer("payload").select_related("order")
        event = events.filter(event_id=event_id).first()
        if event is None:
            raise Http404("no such event")
        if not inbox.retry(inbox_ids=[event.pk]):
            raise Problem(Code.NOT_RETRYABLE)
        event.refresh_from_db()
        return Response(InboxEventSerializer(event).data, status=202)
