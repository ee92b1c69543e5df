"""Valid rows of a cart, one call each."""

from factory.declarations import LazyAttribute, LazyFunction, SubFactory
from factory.django import DjangoModelFactory

from cart.models import Cart, CartLine
from shop.clock import now
from shop.tests.factories import VariantFactory


class CartFactory(DjangoModelFactory[Cart]):
    """A guest's empty cart; a user's with `user`."""

    class Meta:
        model = Cart

    created_at = LazyFunction(now)


class CartLineFactory(DjangoModelFactory[CartLine]):
    """One unit, seen at today's price."""

    class Meta:
        model = CartLine

    cart = SubFactory(CartFactory)
    variant = SubFactory(VariantFactory)
    quantity = 1
    seen_price_minor = LazyAttribute(lambda line: line.variant.price_minor)
    added_at = LazyFunction(now)
