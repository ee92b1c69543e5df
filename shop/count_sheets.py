"""Sheets on which stock is counted: a CSV file goes out, and comes back with what was counted.

A row says what was on hand when the sheet was made, and the count is compared with that: what was
sold or received since stays right. A sheet has a key, by which each row of it counts once.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import StringIO
from uuid import UUID

from shop.csv_cells import as_text, from_text, separator
from shop.deliveries import UnfitLines
from shop.models import StockMovement, Variant
from shop.services import key_of_line

MOST_DIFFERENCES = 1_000
_MOST_ROWS = 20_000
_PROBLEMS_TOLD = 20
COLUMNS = ("SKU", "title", "on hand", "reserved", "counted", "sheet")


def lines(variants: Iterable[Variant], sheet: UUID) -> Iterator[tuple[object, ...]]:
    """Yield what stands in the file's columns; each variant has its product with it."""
    for variant in variants:
        title = f"{variant.product.title}, {variant.title}"
        yield variant.sku, title, variant.on_hand, variant.reserved, "", sheet


@dataclass(frozen=True, slots=True)
class Counted:
    """A variant whose count differs by `difference` units from what its sheet said."""

    variant: Variant
    was_on_hand: int
    counted: int

    @property
    def difference(self) -> int:
        return self.counted - self.was_on_hand

    @property
    def problem(self) -> str:
        """What keeps it from being entered, if anything."""
        left = self.variant.on_hand + self.difference
        if left >= self.variant.reserved:
            return ""
        return (
            f"{self.variant.sku}: {left} would be left, and pending orders hold "
            f"{self.variant.reserved}."
        )


@dataclass(frozen=True, slots=True)
class Count:
    """What a sheet that came back says; rows that were entered before are only numbered."""

    sheet: UUID
    differing: list[Counted]
    entered_before: int

    def text(self) -> str:
        """Return the rows that differ as a sheet again, for the next step of a form."""
        text = StringIO()
        writer = csv.writer(text)
        writer.writerow(("SKU", "on hand", "counted", "sheet"))
        for row in self.differing:
            writer.writerow([as_text(row.variant.sku), row.was_on_hand, row.counted, self.sheet])
        return text.getvalue()


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the file in which something was counted, as it was written."""

    number: int
    sku: str
    on_hand: str
    counted: str
    sheet: str

    def problem(self, known: dict[str, Variant]) -> str:
        """Return what is wrong with the line, if anything."""
        if self.sku not in known:
            return f"Line {self.number}: there is no SKU {self.sku!r}."
        for name, figure in (("on hand", self.on_hand), ("counted", self.counted)):
            if not re.fullmatch(r"[0-9]{1,6}", figure):
                return f"Line {self.number}: {figure!r} as {name!r} is no number of units."
        return ""


def read(text: str) -> Count:
    """Return what a sheet says that came back; rows in which nothing was counted are left out.

    Raises UnfitLines.
    """
    rows = _rows(text)
    sheet = _sheet(rows)
    variants = Variant.objects.filter(sku__in=[row.sku for row in rows]).select_related("product")
    known = {
        variant.sku: variant
        for variant in variants.defer("product__search", "product__description")
    }
    _refuse([problem for row in rows if (problem := row.problem(known))])
    if len({row.sku for row in rows}) < len(rows):
        raise UnfitLines(["A SKU stands there more than once."])
    counts = [Counted(known[row.sku], int(row.on_hand), int(row.counted)) for row in rows]
    differing = {key_of_line(sheet, c.variant.pk): c for c in counts if c.difference}
    if len(differing) > MOST_DIFFERENCES:
        raise UnfitLines([f"More than {MOST_DIFFERENCES:,} counts differ: enter them in parts."])
    movements = StockMovement.objects.filter(form_key__in=differing)
    entered = set(movements.values_list("form_key", flat=True))
    due = [counted for key, counted in differing.items() if key not in entered]
    _refuse([problem for counted in due if (problem := counted.problem)])
    return Count(sheet, due, len(entered))


def _rows(text: str) -> list[_Row]:
    """Return the lines in which something was counted, by the names of their columns."""
    try:
        lines = list(csv.DictReader(StringIO(text, newline=""), delimiter=separator(text)))
    except csv.Error as error:
        raise UnfitLines(["This is no CSV file."]) from error
    names = ("SKU", "on hand", "counted", "sheet")
    if missing := [name for name in names if not lines or name not in lines[0]]:
        raise UnfitLines([f"These columns are missing: {', '.join(missing)}."])
    if len(lines) > _MOST_ROWS:
        raise UnfitLines([f"These are more than {_MOST_ROWS:,} lines: enter them in parts."])
    rows = [
        _Row(number, *((line[name] or "").strip() for name in names))
        for number, line in enumerate(lines, start=2)
    ]
    counted = [replace(row, sku=from_text(row.sku)) for row in rows if row.counted]
    if not counted:
        raise UnfitLines(["Nothing was counted: the column 'counted' is empty."])
    return counted


def _sheet(rows: list[_Row]) -> UUID:
    sheets = {row.sheet for row in rows}
    try:
        (sheet,) = sheets
        return UUID(sheet)
    except ValueError:
        raise UnfitLines(
            ["Enter one sheet at a time, with its column 'sheet' as it was downloaded."]
        ) from None


def _refuse(problems: list[str]) -> None:
    if problems:
        raise UnfitLines(problems[:_PROBLEMS_TOLD])
