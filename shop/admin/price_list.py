"""The list of prices and stock, whose rows are edited where they stand.

Prices are one form, saved by one button; each row's stock is a form of its own. The forms lie
beside the table, whose fields name theirs: so all of it works without JavaScript.
"""

import re
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.views import ChangeList

from shop import prices, services
from shop.admin_forms import AdjustForm, price_field, to_minor
from shop.clock import now
from shop.models import Variant
from shop.money import format_minor, to_decimal
from shop.prices import NewPrice

_PRICE = re.compile(r"price-([0-9]{1,18})")


@dataclass
class Cells:
    """What stands in the fields of one row, and what is wrong with it."""

    price: str
    seen_minor: int
    price_error: str = ""
    difference: str = ""
    reason: str = ""
    form_key: str = field(default_factory=lambda: str(uuid4()))
    stock_error: str = ""


class PriceList(ChangeList):  # type: ignore[misc]  # Unfold has no types
    """Gives each row its cells: as they are stored, or as they were sent and refused."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        refused: dict[int, Cells] = getattr(request, "refused_cells", {})
        variants: list[Any] = list(self.result_list)
        for variant in variants:
            variant.cells = refused.get(variant.pk) or _stored(variant)
        self.result_list = variants


def _stored(variant: Variant) -> Cells:
    price = to_decimal(variant.price_minor, variant.currency)
    return Cells(f"{price:f}", variant.price_minor)


def save_prices(request: HttpRequest) -> dict[int, Cells]:
    """Set the prices that were changed in the list; return the rows that were refused.

    Each row is judged by itself. What somebody else has set since is told, and not overwritten.
    """
    wanted, refused = _typed_prices(request)
    saved = 0
    while wanted:
        try:
            saved = prices.change_prices(
                prices=[price for price, _cells in wanted.values()],
                why="in the list of prices",
                by_user_id=cast(int, request.user.pk),
                at=now(),
            )
        except prices.PriceMoved as error:
            for pk, (now_minor, currency) in error.moved.items():
                _price, refused[pk] = wanted.pop(pk)
                refused[pk].seen_minor = now_minor
                refused[pk].price_error = (
                    f"Meanwhile somebody set this to {format_minor(now_minor, currency)}. "
                    "Save again to replace it."
                )
        else:
            break
    _tell_saved(request, saved, len(refused))
    return refused


def _typed_prices(
    request: HttpRequest,
) -> tuple[dict[int, tuple[NewPrice, Cells]], dict[int, Cells]]:
    """Return the rows whose price was changed, and those whose price is none."""
    typed = {
        int(found[1]): str(text)
        for name, text in request.POST.items()
        if (found := _PRICE.fullmatch(name))
    }
    wanted, refused = {}, {}
    for pk, variant in Variant.objects.in_bulk(list(typed)).items():
        seen = request.POST.get(f"seen-{pk}", "")
        cells = Cells(typed[pk], int(seen) if re.fullmatch(r"[0-9]{1,18}", seen) else -1)
        try:
            price = price_field(variant.currency).clean(cells.price)
        except ValidationError as error:
            cells.price_error = " ".join(error.messages)
            refused[pk] = cells
        else:
            new = NewPrice(pk, cells.seen_minor, to_minor(price, variant.currency))
            if new.new_minor != new.seen_minor:
                wanted[pk] = (new, cells)
    return wanted, refused


def _tell_saved(request: HttpRequest, saved: int, refused: int) -> None:
    if saved:
        messages.success(request, f"Prices saved: {saved}.")
    if refused:
        messages.error(request, f"Prices not saved: {refused}. The reason stands below each.")
    if not saved and not refused:
        messages.info(request, "No price was changed.")


def move_stock(request: HttpRequest, variant: Variant) -> Cells | None:
    """Adjust a variant's stock as its row says; return the row if that was refused."""
    form = AdjustForm(request, data=request.POST)
    cells = _stored(variant)
    cells.difference = request.POST.get("difference", "")
    cells.reason = request.POST.get("reason", "")
    if not form.is_valid():
        cells.stock_error = " ".join(
            f"{form[name].label}: {' '.join(errors)}" for name, errors in form.errors.items()
        )
        return cells
    cells.form_key = str(form.cleaned_data["form_key"])
    try:
        is_first = services.adjust(
            variant_id=variant.pk,
            difference=form.cleaned_data["difference"],
            reason=form.cleaned_data["reason"],
            at=now(),
            moved_by_id=cast(int, request.user.pk),
            form_key=form.cleaned_data["form_key"],
        )
    except services.InsufficientStock as error:
        free = error.shortages[0].free
        cells.stock_error = f"Only {free} units are free, pending orders hold the others."
        return cells
    tell_moved(request, is_first, f"{form.cleaned_data['difference']:+} units of {variant.sku}.")
    return None


def tell_moved(request: HttpRequest, is_first: bool, done: str) -> None:
    """Say what was done, or that the same form had done it before."""
    if is_first:
        messages.success(request, done)
    else:
        messages.warning(request, "This form was sent before. Nothing was moved a second time.")
