"""Money: whole numbers of a currency's minor units, and the currencies this shop can take.

One table holds what ISO 4217, Stripe and a checkout need to know of a currency. Stripe counts ISK
and UGX in hundredths though ISO gives them no minor unit; our columns always count as ISO does, and
`to_stripe` and `from_stripe` translate at the gateway.

Sources: https://docs.stripe.com/currencies#zero-decimal,
https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
"""

import re
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache

from babel import Locale
from babel.numbers import NumberPattern


class UnsupportedCurrency(ValueError):
    """The currency is not in the table below."""


class InexactAmount(ValueError):
    """The amount cannot be said in the other unit without rounding."""


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency; `minimum_minor` is the least amount that Stripe charges, in ISO minor units."""

    code: str
    exponent: int
    stripe_exponent: int
    minimum_minor: int

    @property
    def maximum_minor(self) -> int:
        """The most that Stripe charges at once: eight digits of the unit that it counts in."""
        return 99_999_999 // _scale(self)


_CURRENCIES = {
    currency.code: currency
    for currency in (
        Currency("AUD", 2, 2, 50),
        Currency("BRL", 2, 2, 50),
        Currency("CAD", 2, 2, 50),
        Currency("CHF", 2, 2, 50),
        Currency("CZK", 2, 2, 15_00),
        Currency("DKK", 2, 2, 2_50),
        Currency("EUR", 2, 2, 50),
        Currency("GBP", 2, 2, 30),
        Currency("HKD", 2, 2, 4_00),
        Currency("HUF", 2, 2, 175_00),
        Currency("ISK", 0, 2, 100),
        Currency("JPY", 0, 0, 50),
        Currency("MXN", 2, 2, 10_00),
        Currency("NOK", 2, 2, 3_00),
        Currency("NZD", 2, 2, 50),
        Currency("PLN", 2, 2, 2_00),
        Currency("RON", 2, 2, 2_00),
        Currency("SEK", 2, 2, 3_00),
        Currency("SGD", 2, 2, 50),
        Currency("USD", 2, 2, 50),
    )
}
SUPPORTED = tuple(sorted(_CURRENCIES))


def currency(code: str) -> Currency:
    """Return the currency of an ISO 4217 code; raises UnsupportedCurrency."""
    try:
        return _CURRENCIES[code]
    except KeyError:
        raise UnsupportedCurrency(
            f"{code!r} is not a supported currency; choose one of {', '.join(SUPPORTED)}"
        ) from None


def to_stripe(amount_minor: int, code: str) -> int:
    """Return `amount_minor` in the unit that Stripe counts this currency in."""
    return amount_minor * _scale(currency(code))


def from_stripe(amount: int, code: str) -> int:
    """Return Stripe's `amount` in minor units; raises InexactAmount when it has a remainder."""
    amount_minor, remainder = divmod(amount, _scale(currency(code)))
    if remainder:
        raise InexactAmount(f"{amount} {code} at Stripe is no whole number of minor units")
    return amount_minor


def _scale(known: Currency) -> int:
    return int(10 ** (known.stripe_exponent - known.exponent))


def share_out(amount_minor: int, parts: int) -> list[int]:
    """Return even shares that add up to the amount; what does not divide goes to the first ones."""
    share, remainder = divmod(amount_minor, parts)
    return [share + 1] * remainder + [share] * (parts - remainder)


def to_decimal(amount_minor: int, code: str) -> Decimal:
    """Return minor units in the currency's main unit, with all its digits: `490, "EUR"` is 4.90."""
    return Decimal(amount_minor).scaleb(-currency(code).exponent)


# A list shows the same few prices over and over, and Babel takes its time.
@lru_cache(maxsize=4_096)
def format_minor(amount_minor: int, code: str, locale: str = "en") -> str:
    """Return an amount as people write it in `locale`: `499, "EUR"` is "€4.99" in English."""
    exponent = currency(code).exponent
    amount = to_decimal(amount_minor, code)
    territory = locale.replace("-", "_")
    text: str = _pattern(territory, exponent).apply(
        amount, territory, currency=code, currency_digits=False
    )
    # CLDR parts a currency's letters from the figure (CHF 5.00); Babel leaves that out.
    return re.sub(r"(?<=[A-Z])(?=\d)", "\xa0", text)


def format_any(amount_minor: int, code: str) -> str:
    """Return the amount as people write it, or, in a currency the shop does not know, as stored."""
    try:
        return format_minor(amount_minor, code)
    except UnsupportedCurrency:
        return f"{amount_minor} {code} (minor units)"


@cache
def _pattern(locale: str, exponent: int) -> NumberPattern:
    # Babel's digits come from CLDR, which differs from ISO for some currencies: it is told ours.
    pattern: NumberPattern = copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (exponent, exponent)
    return pattern
