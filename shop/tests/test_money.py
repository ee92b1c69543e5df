import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from shop import money

codes = st.sampled_from(money.SUPPORTED)
amounts = st.integers(-(10**12), 10**12)


@pytest.mark.parametrize(
    ("amount_minor", "code", "locale", "words"),
    [
        (499, "EUR", "en", "€4.99"),
        (1_234_56, "USD", "en", "$1,234.56"),
        (499, "JPY", "en", "¥499"),
        (499, "ISK", "en", "ISK\xa0499"),
        (1_00, "HUF", "en", "HUF\xa01.00"),
        (-5, "EUR", "en", "-€0.05"),
        (1_234_56, "EUR", "de-AT", "€\xa01.234,56"),
    ],
)
def test_amounts_read_as_people_write_them(
    amount_minor: int, code: str, locale: str, words: str
) -> None:
    assert money.format_minor(amount_minor, code, locale) == words


def test_filter_formats_in_templates() -> None:
    page = Template('{% load money %}{{ amount|money:"EUR" }}').render(Context({"amount": 499}))

    assert page == "€4.99"


def test_unknown_currency_is_refused_with_the_choices() -> None:
    with pytest.raises(money.UnsupportedCurrency, match=r"'XAU'.*EUR"):
        money.currency("XAU")


def test_stripe_counts_some_currencies_otherwise() -> None:
    assert money.to_stripe(100, "ISK") == 100_00
    assert money.to_stripe(100, "JPY") == 100
    assert money.to_stripe(100, "EUR") == 100


def test_fraction_that_we_cannot_count_is_refused() -> None:
    with pytest.raises(money.InexactAmount):
        money.from_stripe(100_01, "ISK")


@given(amount_minor=amounts, code=codes)
def test_there_and_back_is_the_same_amount(amount_minor: int, code: str) -> None:
    assert money.from_stripe(money.to_stripe(amount_minor, code), code) == amount_minor


@given(amount_minor=amounts, code=codes)
def test_formatting_loses_no_digit(amount_minor: int, code: str) -> None:
    words = money.format_minor(amount_minor, code)

    digits = "".join(character for character in words if character.isdigit())
    assert int(digits) == abs(amount_minor)


@pytest.mark.parametrize(("code", "maximum_minor"), [("EUR", 99_999_999), ("ISK", 999_999)])
def test_the_most_that_can_be_charged_is_eight_digits_at_stripe(
    code: str, maximum_minor: int
) -> None:
    assert money.currency(code).maximum_minor == maximum_minor
    assert len(str(money.to_stripe(maximum_minor, code))) == 8
    assert len(str(money.to_stripe(maximum_minor + 1, code))) == 9
