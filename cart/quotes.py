"""What a cart costs right now, and what stands in the way of ordering it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from django.core.signing import BadSignature, Signer

from cart.models import Cart, CartLine
from cart.stock import held_quantities
from shop.models import Variant

_signer = Signer(salt="checkout.fingerprint")


@dataclass(frozen=True)
class QuoteLine:
    """A line at today's price, in minor units of the quote's currency."""

    variant: Variant
    quantity: int
    seen_price_minor: int
    free_for_cart: int

    @property
    def title(self) -> str:
        return f"{self.variant.product.title}, {self.variant.title}"

    @property
    def unit_price_minor(self) -> int:
        return self.variant.price_minor

    @property
    def subtotal_minor(self) -> int:
        return self.quantity * self.unit_price_minor

    @property
    def is_short(self) -> bool:
        return self.quantity > self.free_for_cart

    @property
    def price_changed(self) -> bool:
        return self.seen_price_minor != self.unit_price_minor


@dataclass(frozen=True)
class Quote:
    """The figures that a buyer is shown and agrees to, in minor units of `currency`."""

    lines: tuple[QuoteLine, ...]
    unavailable: tuple[QuoteLine, ...]
    currency: str

    @property
    def subtotal_minor(self) -> int:
        return sum(line.subtotal_minor for line in self.lines)

    @property
    def shipping_minor(self) -> int:
        if not self.lines or self.subtotal_minor >= self.free_shipping_from_minor:
            return 0
        return settings.SHIPPING_FLAT_MINOR

    @property
    def total_minor(self) -> int:
        return self.subtotal_minor + self.shipping_minor

    @property
    def units(self) -> int:
        """How many things there are to buy, over all lines."""
        return sum(line.quantity for line in self.lines)

    @property
    def free_shipping_from_minor(self) -> int:
        """The subtotal from which shipping is free."""
        return settings.SHIPPING_FREE_FROM_MINOR

    @property
    def missing_for_free_shipping_minor(self) -> int:
        """What the subtotal lacks for free shipping; 0 where shipping costs nothing."""
        return self.free_shipping_from_minor - self.subtotal_minor if self.shipping_minor else 0

    @property
    def quantities(self) -> dict[int, int]:
        return {line.variant.pk: line.quantity for line in self.lines}

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(f"“{line.title}” is no longer on sale." for line in self.unavailable)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that the buyer agrees to: lines, unit prices, shipping, total."""
        lines = sorted((x.variant.pk, x.quantity, x.unit_price_minor) for x in self.lines)
        figures = [lines, self.shipping_minor, self.total_minor, self.currency]
        return hashlib.sha256(json.dumps(figures).encode()).hexdigest()

    @property
    def signed_fingerprint(self) -> str:
        """The fingerprint as the buyer carries it back, who cannot have made it up."""
        return _signer.sign(self.fingerprint)


def read_fingerprint(signed: str) -> str:
    """Return the bare fingerprint; a forged or mangled one comes to nothing, which fits no cart."""
    try:
        return _signer.unsign(signed)
    except BadSignature:
        return ""


def quote_of(quantities: Mapping[int, int]) -> Quote:
    """Price units by variant id at this moment, without a cart; unknown variants are left out."""
    variants = Variant.objects.filter(pk__in=quantities).select_related("product")
    lines = [
        QuoteLine(
            variant=variant,
            quantity=quantities[variant.pk],
            seen_price_minor=variant.price_minor,
            free_for_cart=variant.free,
        )
        for variant in variants.defer("product__search", "product__description").order_by("pk")
    ]
    return Quote(
        lines=tuple(line for line in lines if line.variant.is_on_sale),
        unavailable=tuple(line for line in lines if not line.variant.is_on_sale),
        currency=settings.SHOP_CURRENCY,
    )


def quote(cart: Cart) -> Quote:
    """Price a cart at this moment; two queries, however many lines it has."""
    held = held_quantities(cart)
    lines = [
        QuoteLine(
            variant=line.variant,
            quantity=line.quantity,
            seen_price_minor=line.seen_price_minor,
            free_for_cart=line.variant.free + held.get(line.variant_id, 0),
        )
        for line in CartLine.objects.filter(cart=cart)
        .select_related("variant__product")
        .defer("variant__product__search", "variant__product__description")
    ]
    return Quote(
        lines=tuple(line for line in lines if line.variant.is_on_sale),
        unavailable=tuple(line for line in lines if not line.variant.is_on_sale),
        currency=settings.SHOP_CURRENCY,
    )
