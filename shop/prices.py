"""Every change of a price, by whichever way staff make it, leaves a line in the price's history."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from shop import services
from shop.models import PriceChange, Variant

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NewPrice:
    """What a variant is to cost; `seen_minor` is what it cost for whoever decided that."""

    variant_id: int
    seen_minor: int
    new_minor: int


class PriceMoved(Exception):
    """Somebody else has changed prices since; `moved` has what they are now, by variant id."""

    def __init__(self, moved: dict[int, tuple[int, str]]) -> None:
        super().__init__(", ".join(f"{pk}: {price}" for pk, price in moved.items()))
        self.moved = moved


@transaction.atomic
def change_prices(
    *, prices: Collection[NewPrice], why: str, by_user_id: int | None, at: datetime
) -> int:
    """Set prices in minor units of each variant's currency, all or none; return how many changed.

    Repeating is safe: what costs that already is left alone. Raises PriceMoved, naming every
    variant whose price is neither the one that was seen nor the new one, Variant.DoesNotExist.
    """
    variants = services.lock(price.variant_id for price in prices)
    due = {
        price: variant
        for price in prices
        if (variant := variants[price.variant_id]).price_minor != price.new_minor
    }
    moved = {
        variant.pk: (variant.price_minor, variant.currency)
        for price, variant in due.items()
        if variant.price_minor != price.seen_minor
    }
    if moved:
        raise PriceMoved(moved)
    # Before the prices themselves: the database adds a line where it finds none.
    PriceChange.objects.bulk_create(
        [
            PriceChange(
                variant=variant,
                old_minor=price.seen_minor,
                new_minor=price.new_minor,
                currency=variant.currency,
                why=why,
                by_user_id=by_user_id,
                changed_at=at,
            )
            for price, variant in due.items()
        ]
    )
    for price, variant in due.items():
        variant.price_minor = price.new_minor
    Variant.objects.bulk_update(due.values(), ["price_minor"], batch_size=_AT_ONCE)
    return len(due)
