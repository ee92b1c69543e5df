"""Valid orders, one call each."""

from datetime import UTC, datetime
from typing import Any

from cart.models import Cart
from cart.quotes import Quote, QuoteLine
from orders import services
from orders.models import Order
from orders.services import Buyer
from shop.models import Variant
from shop.tests.factories import VariantFactory

PLACED_AT = datetime(2026, 1, 5, 11, tzinfo=UTC)
ADDRESS = {
    "name": "Ada Reader",
    "line1": "1 Long Lane",
    "line2": "",
    "postal_code": "10115",
    "city": "Berlin",
    "region": "",
    "country": "DE",
}


def PendingOrderFactory(
    *,
    quantities: dict[Variant, int] | None = None,
    cart: Cart | None = None,
    at: datetime = PLACED_AT,
    **buyer: Any,
) -> Order:
    """Place an order (of one unit unless told) by the shop's own service; its units are held."""
    lines = quantities or {VariantFactory(): 1}
    quote = Quote(
        lines=tuple(
            QuoteLine(
                variant=variant,
                quantity=quantity,
                seen_price_minor=variant.price_minor,
                free_for_cart=variant.free,
            )
            for variant, quantity in lines.items()
        ),
        unavailable=(),
        currency=next(iter(lines)).currency,
    )
    return services.place(
        cart=cart or Cart.objects.create(created_at=at),
        buyer=Buyer(
            **{
                "user": None,
                "email": "reader@example.com",
                "address": dict(ADDRESS),
                "locale": "en",
                "client_ip": "192.0.2.1",
            }
            | buyer
        ),
        quote=quote,
        at=at,
    )
