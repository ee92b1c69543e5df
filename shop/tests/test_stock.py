from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import connection
from django.db.models import Sum
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from shop import services
from shop.clock import now
from shop.models import StockMovement, Variant
from shop.services import InsufficientStock, Shortage
from shop.tests.factories import VariantFactory


def counters(variant: Variant) -> tuple[int, int]:
    variant.refresh_from_db()
    return variant.on_hand, variant.reserved


@pytest.mark.django_db
def test_reserving_and_selling_move_both_counters() -> None:
    variant = VariantFactory(on_hand=5)

    services.reserve(quantities={variant.pk: 3}, reference="R1", at=now())
    assert counters(variant) == (5, 3)

    services.sell(quantities={variant.pk: 3}, reference="R1", at=now())
    assert counters(variant) == (2, 0)


@pytest.mark.django_db
def test_releasing_gives_units_back() -> None:
    variant = VariantFactory(on_hand=5)
    services.reserve(quantities={variant.pk: 3}, reference="R1", at=now())

    services.release(quantities={variant.pk: 3}, reference="R1", at=now())

    assert counters(variant) == (5, 0)


@pytest.mark.django_db
def test_shortage_names_every_short_variant_and_holds_none() -> None:
    plenty, few, none = (VariantFactory(on_hand=units) for units in (9, 2, 0))
    movements = StockMovement.objects.count()

    with pytest.raises(InsufficientStock) as refused:
        services.reserve(quantities={plenty.pk: 1, few.pk: 3, none.pk: 1}, reference="R1", at=now())

    assert refused.value.shortages == [Shortage(few.pk, 3, 2), Shortage(none.pk, 1, 0)]
    assert [counters(variant) for variant in (plenty, few, none)] == [(9, 0), (2, 0), (0, 0)]
    assert StockMovement.objects.count() == movements


@pytest.mark.django_db
@pytest.mark.parametrize("change", [services.release, services.sell])
def test_only_held_units_are_released_or_sold(change: Callable[..., None]) -> None:
    variant = VariantFactory(on_hand=5)
    movements = StockMovement.objects.count()

    with pytest.raises(InsufficientStock):
        change(quantities={variant.pk: 1}, reference="R1", at=now())

    assert counters(variant) == (5, 0)
    assert StockMovement.objects.count() == movements


@pytest.mark.django_db
def test_count_is_not_corrected_below_what_is_held() -> None:
    variant = VariantFactory(on_hand=5)
    services.reserve(quantities={variant.pk: 3}, reference="R1", at=now())

    with pytest.raises(InsufficientStock):
        services.adjust(variant_id=variant.pk, difference=-3, reason="lost", at=now())
    assert counters(variant) == (5, 3)

    services.adjust(variant_id=variant.pk, difference=-2, reason="lost", at=now())
    assert counters(variant) == (3, 3)


@pytest.mark.django_db
def test_movement_tells_what_why_who_and_when() -> None:
    variant = VariantFactory(on_hand=0)
    at = now()

    services.receive(
        variant_id=variant.pk, quantity=4, reference="delivery 7", at=at, moved_by_id=12
    )

    movement = StockMovement.objects.get(variant=variant)
    assert (movement.kind, movement.on_hand_delta, movement.reserved_delta) == ("received", 4, 0)
    assert (movement.reference, movement.moved_by_id, movement.moved_at) == ("delivery 7", 12, at)


@pytest.mark.django_db
def test_unknown_variant_is_refused() -> None:
    with pytest.raises(Variant.DoesNotExist):
        services.reserve(quantities={0: 1}, reference="R1", at=now())


@pytest.mark.django_db(transaction=True)
def test_buyers_racing_for_the_last_units_get_no_more_than_there_are() -> None:
    first, second = VariantFactory(on_hand=5), VariantFactory(on_hand=5)

    def buy(number: int) -> bool:
        # Every other buyer names the two variants the other way round.
        pair = (first.pk, second.pk) if number % 2 else (second.pk, first.pk)
        try:
            services.reserve(quantities=dict.fromkeys(pair, 1), reference=str(number), at=now())
        except InsufficientStock:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as buyers:
        bought = list(buyers.map(buy, range(20)))

    assert bought.count(True) == 5
    assert (counters(first), counters(second)) == ((5, 5), (5, 5))
    assert StockMovement.objects.filter(kind=StockMovement.Kind.RESERVED).count() == 10


ACTIONS: dict[str, Callable[[int, int], object]] = {
    "receive": lambda pk, units: services.receive(
        variant_id=pk, quantity=units, reference="x", at=now()
    ),
    "adjust up": lambda pk, units: services.adjust(
        variant_id=pk, difference=units, reason="x", at=now()
    ),
    "adjust down": lambda pk, units: services.adjust(
        variant_id=pk, difference=-units, reason="x", at=now()
    ),
    "reserve": lambda pk, units: services.reserve(quantities={pk: units}, reference="x", at=now()),
    "release": lambda pk, units: services.release(quantities={pk: units}, reference="x", at=now()),
    "sell": lambda pk, units: services.sell(quantities={pk: units}, reference="x", at=now()),
}


class AnyStory(TestCase):
    @given(st.lists(st.tuples(st.sampled_from(sorted(ACTIONS)), st.integers(1, 5)), max_size=12))
    def test_counters_are_the_sums_of_their_movements(self, story: list[tuple[str, int]]) -> None:
        variant = VariantFactory(on_hand=0)

        for action, units in story:
            with suppress(InsufficientStock):
                ACTIONS[action](variant.pk, units)

        sums = variant.movements.aggregate(
            on_hand=Sum("on_hand_delta", default=0), reserved=Sum("reserved_delta", default=0)
        )
        assert counters(variant) == (sums["on_hand"], sums["reserved"])
        assert 0 <= sums["reserved"] <= sums["on_hand"]
