"""Orders and payments as JSON, by the services of the pages: they can do nothing more here.

An order is its user's, or whoever's who sends the token that its link carries.
"""

from typing import Any, cast

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import get_language
from rest_framework import status
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from api.guests import ORDER_TOKEN
from api.idempotency import idempotent, is_resumed
from api.pages import Pages
from api.problems import Code, Problem, invalid
from api.schema import operation
from api.views import ApiView
from cart.access import current_cart, guest_id
from cart.api import cart_json, quote_json
from cart.models import Cart
from cart.quotes import read_fingerprint
from orders import links
from orders.models import Order, Reason
from orders.services import Buyer
from payments import gateway
from payments.failures import problem_of_stripe
from payments.forms import normalized_number
from payments.models import PaymentAttempt
from payments.reading import read_order
from payments.serializers import (
    CheckoutSerializer,
    CheckoutSessionSerializer,
    FindSerializer,
    IntentStateSerializer,
    OrderSerializer,
    OrderSummarySerializer,
    OwnedOrderSerializer,
    PaymentIntentSerializer,
    PaymentStatusSerializer,
    PlaceSerializer,
    SessionStateSerializer,
)
from payments.services import attempts, canceling, placing
from payments.standings import Standing, standings
from shop.clock import now
from shop.limits import client_ip
from shop.services import InsufficientStock

STRIPE_PROBLEMS = [
    Code.PAYMENT_BUSY,
    Code.PAYMENT_REFUSED,
    Code.PAYMENT_UNREACHABLE,
    Code.PAYMENT_UNAVAILABLE,
]
_PLACING_PROBLEMS = [Code.STOCK_SHORT, Code.CART_CHANGED, Code.NOT_PLACEABLE, *STRIPE_PROBLEMS]


class Buyers(BasePermission):
    """Lets pass who says who he is, by signing in or by an order's token."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.is_authenticated or ORDER_TOKEN in request.headers


class PaymentsView(ApiView):
    """A view that may have to ask Stripe."""

    def problem_of(self, error: Exception) -> Problem | None:
        match error:
            case attempts.NotPayable():
                facts = {"order": order_json(error.order)}
                return Problem(Code.NOT_PAYABLE, facts=facts)
            case canceling.CannotCancel():
                facts = {"order": order_json(error.order)}
                return Problem(Code.NOT_CANCELABLE, str(error), facts=facts)
            case placing.CannotPlace():
                return Problem(Code.NOT_PLACEABLE, str(error))
            case gateway.BadEmail():
                words = "The payment service does not take this address. Order with another one."
                return invalid("email", words)
        return problem_of_stripe(error)


class OrderView(PaymentsView):
    """A view of one order, for its owner."""

    permission_classes = (Buyers,)
    guest_scheme = "OrderToken"

    def guest(self) -> str:
        number = self.kwargs.get("number", "")
        is_holder = links.is_signed(number, self.request.headers.get(ORDER_TOKEN, ""))
        return number if is_holder else ""

    def asked_for(self, number: str) -> QuerySet[Order]:
        """Return the order, or none where it is not the caller's."""
        token = self.request.headers.get(ORDER_TOKEN, "")
        if links.is_signed(number, token):
            return Order.objects.filter(number=number)
        if self.request.user.is_authenticated:
            return self.request.user.orders.filter(number=number)
        return Order.objects.none()

    def order(self, number: str) -> Order:
        """Return the order; raises Http404."""
        order = self.asked_for(number).first()
        if order is None:
            raise Http404("no such order")
        return order


def order_json(order: Order, shape: type[OrderSerializer] = OrderSerializer) -> Any:
    """Return an order as it is now, as the API shows it; four queries."""
    return shape(read_order(Order.objects.filter(pk=order.pk), now())).data


class PlacingView(PaymentsView):
    """A view that makes an order of a cart."""

    permission_classes = (AllowAny,)
    guest_scheme = "CartToken"
    limit = "place_order"

    def guest(self) -> str:
        return guest_id(self.request)

    def agreed(self, request: Request) -> tuple[Cart, Buyer, str]:
        """Return what is to be placed, for whom, and the fingerprint of what he agreed to."""
        asked = self.read(PlaceSerializer)
        cart = current_cart(request)
        if cart is None:
            raise Problem(Code.NOT_PLACEABLE, "Your cart is empty.")
        self.cart = cart
        buyer = Buyer(
            user=request.user if request.user.is_authenticated else None,
            email=asked["email"],
            address=dict(asked["shipping_address"]),
            locale=get_language() or settings.LANGUAGE_CODE,
            client_ip=client_ip(request),
        )
        return cart, buyer, read_fingerprint(asked["fingerprint"])

    def problem_of(self, error: Exception) -> Problem | None:
        match error:
            case placing.CartChanged():
                facts = {"cart": quote_json(error.quote, self.cart)}
                return Problem(Code.CART_CHANGED, str(error), facts=facts)
            case InsufficientStock():
                facts = {"cart": cart_json(self.cart)}
                return Problem(Code.STOCK_SHORT, facts=facts)
        return super().problem_of(error)


class Orders(PlacingView):
    pagination_class = Pages

    def get_permissions(self) -> Any:
        return (
            [IsAuthenticated()]
            if self.request.method in SAFE_METHODS
            else super().get_permissions()
        )

    @operation("listOrders", {200: OrderSummarySerializer(many=True)})
    def get(self, request: Request) -> Response:
        """List the orders of who is signed in, newest first."""
        pages = Pages()
        ids = cast(User, request.user).orders.values_list("pk", flat=True)
        # The page is cut before anything is asked about it.
        rows = _in_order(cast(list[int], pages.paginate_queryset(ids, request, self)))
        return pages.get_paginated_response(OrderSummarySerializer(rows, many=True).data)

    @operation(
        "placeOrder",
        {201: OwnedOrderSerializer, 200: OwnedOrderSerializer},
        takes=PlaceSerializer,
        problems=_PLACING_PROBLEMS,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Place the cart as an order, and hold its units. It is paid by another call.

        The cart stays as it is until the order is paid. Placing it again unchanged returns the same
        order; changed, it replaces the one that was not paid. 200 says that the order was paid
        already.
        """
        cart, buyer, fingerprint = self.agreed(request)
        try:
            order = placing.place(cart=cart, buyer=buyer, fingerprint=fingerprint, at=now())
        except placing.AlreadyPaid as error:
            return Response(order_json(error.order, OwnedOrderSerializer))
        return Response(order_json(order, OwnedOrderSerializer), status=status.HTTP_201_CREATED)


def _in_order(ids: list[int]) -> list[Standing]:
    found = standings(Order.objects.filter(pk__in=ids), now())
    by_id = {standing.order.pk: standing for standing in found}
    return [by_id[pk] for pk in ids]


class Checkout(PlacingView):
    @operation(
        "checkout",
        {201: CheckoutSerializer, 200: CheckoutSerializer},
        takes=PlaceSerializer,
        problems=[*_PLACING_PROBLEMS, Code.NOT_PAYABLE],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Place the cart as an order, and open Stripe's page for it, in one call.

        200, without a page, says that the order was paid already.
        """
        cart, buyer, fingerprint = self.agreed(request)
        try:
            started = placing.start_checkout(
                cart=cart, buyer=buyer, fingerprint=fingerprint, at=now()
            )
        except placing.AlreadyPaid as error:
            return Response(_checkout_json(error.order, None))
        answer = _checkout_json(started.order, started.attempt)
        return Response(answer, status=status.HTTP_201_CREATED)


def _checkout_json(order: Order, attempt: PaymentAttempt | None) -> Any:
    return CheckoutSerializer({"order": order, "checkout_session": attempt}).data


class FindOrder(PaymentsView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    limit = "find_order"

    @operation(
        "findOrder",
        {200: OwnedOrderSerializer},
        takes=FindSerializer,
        problems=[Code.NOT_FOUND],
    )
    def post(self, request: Request) -> Response:
        """Find an order by its number and the e-mail address it was placed with."""
        asked = self.read(FindSerializer)
        number = normalized_number(asked["number"])
        order = Order.objects.filter(number=number, email__iexact=asked["email"]).first()
        if order is None:
            raise Problem(Code.NOT_FOUND, "We know no order with this number and e-mail address.")
        return Response(order_json(order, OwnedOrderSerializer))


class OrderDetail(OrderView):
    @operation("getOrder", {200: OrderSerializer})
    def get(self, request: Request, number: str) -> Response:
        """Show an order, how it stands, and what happened to it."""
        return Response(OrderSerializer(read_order(self.asked_for(number), now())).data)


class Cancel(OrderView):
    limit = "place_order"

    @operation(
        "cancelOrder",
        {200: OrderSerializer},
        problems=[Code.NOT_CANCELABLE, *STRIPE_PROBLEMS],
    )
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Cancel an unpaid order. A payment that is faster wins."""
        by = request.user.pk if request.user.is_authenticated else None
        try:
            order = canceling.cancel(
                order_id=self.order(number).pk, reason=Reason.BUYER, by=by, at=now()
            )
        except canceling.CannotCancel as error:
            if not (is_resumed(request) and error.order.is_canceled):
                raise
            order = error.order
        return Response(order_json(order))


class CheckoutSessions(OrderView):
    limit = "place_order"

    @operation(
        "createCheckoutSession",
        {201: CheckoutSessionSerializer},
        problems=[Code.INVALID, Code.NOT_PAYABLE, *STRIPE_PROBLEMS],
    )
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Open Stripe's page on which an order is paid. While one is open it is the same."""
        attempt = attempts.open_attempt(order_id=self.order(number).pk, at=now())
        answer = CheckoutSessionSerializer(attempt).data
        return Response(answer, status=status.HTTP_201_CREATED)


class PaymentIntents(OrderView):
    limit = "place_order"

    @operation(
        "createPaymentIntent",
        {201: PaymentIntentSerializer},
        problems=[Code.NOT_PAYABLE, *STRIPE_PROBLEMS],
    )
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Open a PaymentIntent, for a client that has Stripe's SDK. It is paid by its secret.

        It takes the place of an open page of Stripe's, which can no longer be paid on.
        """
        attempt = attempts.open_attempt(
            order_id=self.order(number).pk, at=now(), kind=PaymentAttempt.Kind.INTENT
        )
        return Response(PaymentIntentSerializer(attempt).data, status=status.HTTP_201_CREATED)


class PaymentStatus(OrderView):
    @operation("getPaymentStatus", {200: PaymentStatusSerializer})
    def get(self, request: Request, number: str) -> Response:
        """Show how an order stands with its payment."""
        found = standings(self.asked_for(number), now())
        if not found:
            raise Http404("no such order")
        return Response(PaymentStatusSerializer(found[0]).data)


class VerifySession(OrderView):
    @operation("verifyCheckoutSession", {200: SessionStateSerializer})
    def get(self, request: Request, session_id: str) -> Response:
        """Show what the shop knows of a Checkout Session. Stripe is asked by a job, not here.

        For a buyer who is back from Stripe's page: ask again every few seconds until it is settled.
        """
        return Response(SessionStateSerializer(self.verified(session_id=session_id)).data)

    def verified(self, **named: str) -> PaymentAttempt:
        """Return what the database knows of an attempt; a job asks Stripe, once a minute at most.

        Raises Http404 for one that is not the caller's.
        """
        attempt = PaymentAttempt.objects.filter(**named).select_related("order").first()
        if attempt is None or not self.asked_for(attempt.order.number).exists():
            raise Http404("no such payment")
        if attempt.state in {PaymentAttempt.State.CREATED, PaymentAttempt.State.OPEN}:
            attempts.queue_reconciliation(attempt=attempt, at=now())
        return attempt


class VerifyIntent(VerifySession):
    @operation("verifyPaymentIntent", {200: IntentStateSerializer})
    def get(self, request: Request, intent_id: str) -> Response:
        """Show what the shop knows of a PaymentIntent. Stripe is asked by a job, not here.

        For an app whose user has just paid: ask again every few seconds until it is settled.
        """
        return Response(IntentStateSerializer(self.verified(intent_id=intent_id)).data)
