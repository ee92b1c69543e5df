"""Every change of stock: one conditional UPDATE decides the race, one movement tells the story.

Quantities are whole units keyed by variant id. All variants of one call are locked at once, in the
order of their keys, so that two calls never wait for each other in a circle.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import F

from shop.models import StockMovement, Variant


@dataclass(frozen=True, slots=True)
class Shortage:
    """A variant that is short: `free` units are left of the `wanted`."""

    variant_id: int
    wanted: int
    free: int


class InsufficientStock(Exception):
    """Less is free than was asked for; carries one Shortage per variant that is short."""

    def __init__(self, shortages: list[Shortage]) -> None:
        super().__init__(", ".join(f"{s.variant_id}: {s.free} of {s.wanted}" for s in shortages))
        self.shortages = shortages


@transaction.atomic
def reserve(*, quantities: Mapping[int, int], reference: str, at: datetime) -> None:
    """Hold units for `reference` (an order's number).

    Raises InsufficientStock, naming every variant that is short, and then nothing was written.
    """
    variants = lock(quantities)
    shortages = [
        Shortage(pk, wanted, variants[pk].free)
        for pk, wanted in quantities.items()
        if variants[pk].free < wanted
    ]
    if shortages:
        raise InsufficientStock(shortages)
    for pk, quantity in quantities.items():
        _change(pk, StockMovement.Kind.RESERVED, 0, quantity, reference, at)


@transaction.atomic
def release(*, quantities: Mapping[int, int], reference: str, at: datetime) -> None:
    """Give held units back; raises InsufficientStock when they were not held."""
    lock(quantities)
    for pk, quantity in quantities.items():
        _change(pk, StockMovement.Kind.RELEASED, 0, -quantity, reference, at)


@transaction.atomic
def sell(*, quantities: Mapping[int, int], reference: str, at: datetime) -> None:
    """Take held units out of the house; raises InsufficientStock when they were not held."""
    lock(quantities)
    for pk, quantity in quantities.items():
        _change(pk, StockMovement.Kind.SOLD, -quantity, -quantity, reference, at)


@transaction.atomic
def take_back(*, quantities: Mapping[int, int], reference: str, at: datetime) -> None:
    """Put units that were sold back on the shelf."""
    lock(quantities)
    for pk, quantity in quantities.items():
        _change(pk, StockMovement.Kind.RETURNED, quantity, 0, reference, at)


@transaction.atomic
def receive(
    *,
    variant_id: int,
    quantity: int,
    reference: str,
    at: datetime,
    moved_by_id: int | None = None,
    form_key: UUID | None = None,
) -> bool:
    """Add delivered units to the house; `quantity` is above zero.

    Returns False for a `form_key` that moved stock before: nothing is done twice.
    """
    lock([variant_id])
    if _was_sent(form_key):
        return False
    _change(
        variant_id, StockMovement.Kind.RECEIVED, quantity, 0, reference, at, moved_by_id, form_key
    )
    return True


@transaction.atomic
def adjust(
    *,
    variant_id: int,
    difference: int,
    reason: str,
    at: datetime,
    moved_by_id: int | None = None,
    form_key: UUID | None = None,
) -> bool:
    """Correct the count by `difference` units after counting, loss or damage.

    Returns False for a `form_key` that moved stock before: nothing is done twice. Raises
    InsufficientStock when fewer than the held units would be left.
    """
    lock([variant_id])
    if _was_sent(form_key):
        return False
    _change(
        variant_id, StockMovement.Kind.ADJUSTED, difference, 0, reason, at, moved_by_id, form_key
    )
    return True


@transaction.atomic
def receive_all(
    *, quantities: Mapping[int, int], reference: str, at: datetime, moved_by_id: int, form_key: UUID
) -> set[int]:
    """Add a delivery to the house, quantities above zero.

    Returns the variants that were moved: what this `form_key` moved before is left alone.
    """
    kind = StockMovement.Kind.RECEIVED
    return _change_all(kind, quantities, reference, at, moved_by_id, form_key)


@transaction.atomic
def adjust_all(
    *, differences: Mapping[int, int], reason: str, at: datetime, moved_by_id: int, form_key: UUID
) -> set[int]:
    """Correct counts by differences other than zero; `form_key` names the sheet they come from.

    Returns the variants that were moved: what this `form_key` moved before is left alone. Raises
    InsufficientStock, naming every variant that is short, and then nothing was written.
    """
    kind = StockMovement.Kind.ADJUSTED
    return _change_all(kind, differences, reason, at, moved_by_id, form_key)


def lock(variant_ids: Iterable[int]) -> dict[int, Variant]:
    """Lock these variants in the order of their keys; raises Variant.DoesNotExist.

    Who makes several changes in one transaction locks the variants of all of them first.
    """
    wanted = set(variant_ids)
    locked = Variant.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk")
    variants = {variant.pk: variant for variant in locked}
    if missing := wanted - variants.keys():
        raise Variant.DoesNotExist(f"no variants {sorted(missing)}")
    return variants


def _was_sent(form_key: UUID | None) -> bool:
    """Tell whether a form acted before; the variant's lock has made its two sendings take turns."""
    return form_key is not None and StockMovement.objects.filter(form_key=form_key).exists()


def key_of_line(form_key: UUID, variant_id: int) -> UUID:
    """Return the key of one variant's movement, of a form that moves several."""
    return uuid5(form_key, str(variant_id))


def _change_all(
    kind: StockMovement.Kind,
    units: Mapping[int, int],
    reference: str,
    at: datetime,
    moved_by_id: int,
    form_key: UUID,
) -> set[int]:
    variants = lock(units)
    keys = {pk: key_of_line(form_key, pk) for pk in units}
    moved_before = StockMovement.objects.filter(form_key__in=keys.values())
    due = units.keys() - set(moved_before.values_list("variant_id", flat=True))
    shortages = [
        Shortage(pk, -units[pk], variants[pk].free)
        for pk in sorted(due)
        if variants[pk].free + units[pk] < 0
    ]
    if shortages:
        raise InsufficientStock(shortages)
    for pk in sorted(due):
        _change(
            kind=kind,
            variant_id=pk,
            on_hand_delta=units[pk],
            reserved_delta=0,
            reference=reference,
            at=at,
            moved_by_id=moved_by_id,
            form_key=keys[pk],
        )
    return due


def _change(
    variant_id: int,
    kind: StockMovement.Kind,
    on_hand_delta: int,
    reserved_delta: int,
    reference: str,
    at: datetime,
    moved_by_id: int | None = None,
    form_key: UUID | None = None,
) -> None:
    changed = Variant.objects.filter(
        pk=variant_id,
        reserved__gte=-reserved_delta,
        on_hand__gte=F("reserved") + reserved_delta - on_hand_delta,
    ).update(on_hand=F("on_hand") + on_hand_delta, reserved=F("reserved") + reserved_delta)
    if not changed:
        free = Variant.objects.get(pk=variant_id).free
        raise InsufficientStock([Shortage(variant_id, abs(on_hand_delta or reserved_delta), free)])
    StockMovement.objects.create(
        variant_id=variant_id,
        kind=kind,
        on_hand_delta=on_hand_delta,
        reserved_delta=reserved_delta,
        reference=reference,
        moved_by_id=moved_by_id,
        form_key=form_key,
        moved_at=at,
    )
