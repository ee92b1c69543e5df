"""A rule that makes new prices of old ones: so much more or less, then rounded."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import TextChoices

from shop.money import currency, format_minor


class Rounding(TextChoices):
    """To which prices is rounded: to the nearest, of two as near to the higher."""

    NONE = "none", "do not round"
    WHOLE = "whole", "whole amounts, such as 12"
    NINETY_NINE = "99", "amounts that end in .99"
    NINETY_FIVE = "95", "amounts that end in .95"


def roundings(code: str) -> Iterator[Rounding]:
    """Yield those that mean something in the currency: one without decimals has no .99."""
    yield Rounding.NONE
    if currency(code).exponent == 2:
        yield from (Rounding.WHOLE, Rounding.NINETY_NINE, Rounding.NINETY_FIVE)


@dataclass(frozen=True, slots=True)
class Rule:
    """By `percent` of the old price, and by `amount_minor`; either may be below zero."""

    percent: Decimal = Decimal(0)
    amount_minor: int = 0
    rounding: Rounding = Rounding.NONE

    def new_minor(self, old_minor: int, code: str) -> int:
        """Return the new price in minor units; it may be zero or less, where a price may not."""
        exact = old_minor * (100 + self.percent) / 100 + self.amount_minor
        unit = 10 ** currency(code).exponent
        match self.rounding:
            case Rounding.WHOLE:
                return _nearest(exact, unit, 0)
            case Rounding.NINETY_NINE | Rounding.NINETY_FIVE:
                return _nearest(exact, unit, int(self.rounding))
        return _nearest(exact, 1, 0)

    def in_words(self, code: str) -> str:
        """Return the rule as staff read it in the history of a price."""
        change = f"{self.percent.normalize():+f}%" if self.percent else self._amount(code)
        return change if self.rounding == Rounding.NONE else f"{change}, {self.rounding.label}"

    def _amount(self, code: str) -> str:
        sign = "-" if self.amount_minor < 0 else "+"
        return f"{sign}{format_minor(abs(self.amount_minor), code)}"


def _nearest(exact: Decimal, step: int, ending: int) -> int:
    steps = ((exact - ending) / step).to_integral_value(ROUND_HALF_UP)
    return int(steps) * step + ending
