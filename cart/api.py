"""The cart as JSON: a user's own, or the one whose token a guest sends; always the whole of it."""

from typing import Any

from django.conf import settings
from django.db.models import prefetch_related_objects
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from api.problems import Code, Problem
from api.schema import operation
from api.views import ApiView
from cart import services
from cart.access import cart_for_writing, current_cart, guest_id, token_of
from cart.models import Cart
from cart.quotes import Quote, quote
from cart.serializers import AddedSerializer, AddSerializer, CartSerializer, QuantitySerializer
from shop.clock import now
from shop.models import Variant


class CartView(ApiView):
    permission_classes = (AllowAny,)
    guest_scheme = "CartToken"

    def guest(self) -> str:
        return guest_id(self.request)


class WholeCart(CartView):
    @operation("getCart", {200: CartSerializer})
    def get(self, request: Request) -> Response:
        """Show the cart at today's prices. Reading makes none: an empty one has no token."""
        return Response(cart_json(current_cart(request)))

    @operation("clearCart", {200: CartSerializer})
    def delete(self, request: Request) -> Response:
        """Take everything out of the cart."""
        if cart := current_cart(request):
            services.clear(cart=cart)
        return Response(cart_json(cart))


class Lines(CartView):
    @operation(
        "addToCart",
        {200: AddedSerializer},
        takes=AddSerializer,
        problems=[Code.NOT_FOUND, Code.NOT_ON_SALE],
    )
    def post(self, request: Request) -> Response:
        """Add units of a SKU to the cart. A guest without one gets a new cart, and its `token`."""
        asked = self.read(AddSerializer)
        variants = Variant.objects.select_related("product")
        variant = get_object_or_404(variants, sku=asked["sku"])
        if not variant.is_on_sale:
            raise Problem(Code.NOT_ON_SALE)
        at = now()
        cart = cart_for_writing(request, at)
        change = services.add(cart=cart, variant=variant, quantity=asked["quantity"], at=at)
        return Response(cart_json(cart, AddedSerializer, added=change.units))


class Line(CartView):
    @operation("setCartLine", {200: CartSerializer}, takes=QuantitySerializer)
    def put(self, request: Request, sku: str) -> Response:
        """Set how many units a line holds. What is not in the cart is added by POST."""
        quantity = self.read(QuantitySerializer)["quantity"]
        variant = get_object_or_404(Variant, sku=sku)
        cart = current_cart(request)
        if cart and not quantity:
            services.remove(cart=cart, variant=variant)
        elif not cart or not services.set_quantity(cart=cart, variant=variant, quantity=quantity):
            raise Problem(Code.NOT_FOUND, "The cart has no such line.")
        return Response(cart_json(cart))

    @operation("removeCartLine", {200: CartSerializer})
    def delete(self, request: Request, sku: str) -> Response:
        """Take a line out of the cart. Doing so again changes nothing."""
        cart = current_cart(request)
        variant = Variant.objects.filter(sku=sku).first()
        if cart and variant:
            services.remove(cart=cart, variant=variant)
        return Response(cart_json(cart))


def cart_json(
    cart: Cart | None, shape: type[CartSerializer] = CartSerializer, **context: Any
) -> Any:
    """Return the cart as the API shows it; three queries, however many lines it has."""
    current = quote(cart) if cart else Quote((), (), settings.SHOP_CURRENCY)
    return quote_json(current, cart, shape, **context)


def quote_json(
    current: Quote,
    cart: Cart | None,
    shape: type[CartSerializer] = CartSerializer,
    **context: Any,
) -> Any:
    """Return figures that were read before as the API shows them."""
    lines = [*current.lines, *current.unavailable]
    prefetch_related_objects([line.variant.product for line in lines], "images")
    is_guests = cart is not None and cart.user_id is None
    context["token"] = token_of(cart) if cart and is_guests else None
    return shape(current, context=context).data
