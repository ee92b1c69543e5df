"""What Stripe knows of currencies: which it takes, how it counts them, the least it charges.

Source: https://docs.stripe.com/currencies
"""

from decimal import Decimal

from babel.numbers import format_currency

_SUPPORTED_CODES = """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd
    cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq
    gyd hkd hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd
    lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk
    php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top
    try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw
"""
_ZERO_DECIMAL_CODES = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
SUPPORTED = frozenset(_SUPPORTED_CODES.split())
_ZERO_DECIMAL = frozenset(_ZERO_DECIMAL_CODES.split())
_THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
# Counted in hundredths for old times' sake, though they have none.
_WHOLE_HUNDREDS = frozenset({"isk", "ugx"})
_MINIMUM = {
    "aed": 200,
    "aud": 50,
    "bgn": 100,
    "brl": 50,
    "cad": 50,
    "chf": 50,
    "czk": 1500,
    "dkk": 250,
    "eur": 50,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "inr": 50,
    "jpy": 50,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "nzd": 50,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "sgd": 50,
    "thb": 1000,
    "usd": 50,
}


def is_supported(currency: str) -> bool:
    return currency in SUPPORTED


def minimum(currency: str) -> int:
    """Return the least amount that is charged, in Stripe's minor units; 1 where it is not known."""
    return _MINIMUM.get(currency, 1)


def step(currency: str) -> int:
    """Return the number that every amount of this currency must be a multiple of."""
    if currency in _WHOLE_HUNDREDS:
        return 100
    return 10 if currency in _THREE_DECIMAL else 1


def format_amount(amount: int, currency: str) -> str:
    """Return `amount`, in Stripe's minor units, as an English reader expects it: €12.50."""
    digits = _digits(currency)
    pattern = "¤#,##0" + ("." + "0" * digits if digits else "")
    value = Decimal(amount).scaleb(-digits)
    return format_currency(value, currency.upper(), pattern, "en", currency_digits=False)


def _digits(currency: str) -> int:
    if currency in _ZERO_DECIMAL:
        return 0
    return 3 if currency in _THREE_DECIMAL else 2
