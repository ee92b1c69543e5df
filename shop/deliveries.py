"""What came with a delivery, as staff write it down: a line per SKU, typed, pasted or scanned."""

import re
from collections import Counter
from dataclasses import dataclass

from shop.models import Variant

MOST_LINES = 500
MOST_UNITS = 100_000
_PROBLEMS_TOLD = 20
_PARTED = re.compile(r"(.*)[;,\t](.*)")


class UnfitLines(Exception):
    """Lines that cannot be booked; `problems` name each by its number, for whoever wrote them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Delivered:
    variant: Variant
    quantity: int


def read_lines(text: str) -> list[Delivered]:
    """Return what the lines say, each "SKU;quantity"; a SKU alone, as a scanner sends it, is one.

    Lines of one SKU are summed. Raises UnfitLines.
    """
    lines = {
        number: _parsed(line.strip())
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip()
    }
    if not lines:
        raise UnfitLines(["Enter at least one line."])
    if len(lines) > MOST_LINES:
        raise UnfitLines([f"{len(lines)} lines are too many: enter {MOST_LINES} at a time."])
    known = {
        variant.sku: variant
        for variant in Variant.objects.filter(
            sku__in={sku for sku, _ in lines.values()}
        ).select_related("product")
    }
    problems = []
    quantities: Counter[str] = Counter()
    for number, (sku, quantity) in lines.items():
        if sku not in known:
            problems.append(f"Line {number}: there is no SKU {sku!r}.")
        elif not re.fullmatch(r"[0-9]{1,6}", quantity) or not 1 <= int(quantity) <= MOST_UNITS:
            problems.append(f"Line {number}: {quantity!r} is no quantity from 1 to {MOST_UNITS:,}.")
        else:
            quantities[sku] += int(quantity)
    if problems:
        raise UnfitLines(problems[:_PROBLEMS_TOLD])
    return [Delivered(known[sku], quantity) for sku, quantity in quantities.items()]


def _parsed(line: str) -> tuple[str, str]:
    """Return SKU and quantity; a SKU is what stands before the last sign that parts."""
    parted = _PARTED.fullmatch(line)
    return (parted[1].strip(), parted[2].strip()) if parted else (line, "1")
