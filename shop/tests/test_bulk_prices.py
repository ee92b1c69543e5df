"""Many prices change by a rule: each is shown first, and just what was shown is done."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from shop.admin import bulk_prices
from shop.clock import now
from shop.models import PriceChange, Variant
from shop.prices import NewPrice, change_prices
from shop.repricing import Rounding, Rule, roundings
from shop.tests.clerks import clerk_who_may
from shop.tests.factories import CategoryFactory, VariantFactory

ADDRESS = "/admin/shop/variant/change_prices/"
TEN_PERCENT = {"by": "percent", "figure": "10", "rounding": "none"}


@pytest.mark.parametrize(
    ("rule", "old_minor", "code", "new_minor"),
    [
        (Rule(percent=Decimal(10)), 9_99, "EUR", 10_99),
        (Rule(percent=Decimal(10)), 9_95, "EUR", 10_95),
        (Rule(percent=Decimal("-12.5")), 9_99, "EUR", 8_74),
        (Rule(percent=Decimal(50)), 1, "EUR", 2),
        (Rule(percent=Decimal(-100)), 9_99, "EUR", 0),
        (Rule(amount_minor=-50), 9_99, "EUR", 9_49),
        (Rule(amount_minor=-10_00), 9_99, "EUR", -1),
        (Rule(percent=Decimal(10), rounding=Rounding.WHOLE), 9_99, "EUR", 11_00),
        (Rule(amount_minor=50, rounding=Rounding.WHOLE), 10_00, "EUR", 11_00),
        (Rule(percent=Decimal(10), rounding=Rounding.NINETY_NINE), 9_99, "EUR", 10_99),
        (Rule(amount_minor=1, rounding=Rounding.NINETY_NINE), 10_48, "EUR", 10_99),
        (Rule(amount_minor=-1, rounding=Rounding.NINETY_NINE), 10_49, "EUR", 9_99),
        (Rule(percent=Decimal(10), rounding=Rounding.NINETY_FIVE), 9_99, "EUR", 10_95),
        (Rule(amount_minor=-1, rounding=Rounding.NINETY_NINE), 10, "EUR", -1),
        (Rule(percent=Decimal(10)), 495, "JPY", 545),
        (Rule(amount_minor=-20), 495, "JPY", 475),
    ],
)
def test_a_rule_makes_this_price(rule: Rule, old_minor: int, code: str, new_minor: int) -> None:
    assert rule.new_minor(old_minor, code) == new_minor


@given(
    old_minor=st.integers(0, 10**9),
    percent=st.decimals(-100, 1000, places=2),
    rounding=st.sampled_from(Rounding),
)
def test_rounding_ends_as_it_says_and_goes_to_the_nearest(
    old_minor: int, percent: Decimal, rounding: Rounding
) -> None:
    new = Rule(percent=percent, rounding=rounding).new_minor(old_minor, "EUR")

    step, ending = {"none": (1, 0), "whole": (100, 0), "99": (100, 99), "95": (100, 95)}[rounding]
    assert new % step == ending
    assert abs(new - old_minor * (100 + percent) / 100) * 2 <= step


def test_a_currency_without_decimals_is_not_rounded() -> None:
    assert list(roundings("JPY")) == [Rounding.NONE]
    assert list(roundings("EUR")) == list(Rounding)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(percent=Decimal("10.00")), "+10%"),
        (Rule(percent=Decimal("-100")), "-100%"),
        (
            Rule(percent=Decimal("2.50"), rounding=Rounding.NINETY_NINE),
            "+2.5%, amounts that end in .99",
        ),
        (Rule(amount_minor=-50), "-€0.50"),
        (Rule(amount_minor=1_00), "+€1.00"),
    ],
)
def test_a_rule_is_told_in_words(rule: Rule, words: str) -> None:
    assert rule.in_words("EUR") == words


def confirmed(staff: Client, form: dict[str, str]) -> dict[str, str]:
    """Return what the page that shows the prices sends once they are confirmed."""
    page = staff.post(ADDRESS, form).content.decode()
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    return dict(hidden) | {"confirmed": "1"}


def stored() -> list[int]:
    return list(Variant.objects.order_by("pk").values_list("price_minor", flat=True))


@pytest.mark.django_db
def test_prices_are_shown_then_changed_with_their_history(staff: Client, boss: Any) -> None:
    emma = VariantFactory(sku="EMMA-H", price_minor=9_99, product__title="Emma")
    VariantFactory(sku="WALDEN", price_minor=20_00)
    form = TEN_PERCENT | {"rounding": "99"}

    shown = staff.post(ADDRESS, form)
    assert (shown.status_code, stored()) == (200, [9_99, 20_00])
    assert shown.context["form"].rows()[0] == ["EMMA-H", "Emma, Paperback", "€9.99", "€10.99"]
    assert "Prices that change: 2, by +10%, amounts that end in .99." in shown.content.decode()
    answer = staff.post(ADDRESS, confirmed(staff, form))

    assert (answer.status_code, stored()) == (302, [10_99, 21_99])
    line = PriceChange.objects.get(variant=emma)
    assert (line.why, line.by_user_id) == (
        "many at once: +10%, amounts that end in .99",
        boss.pk,
    )
    assert "Prices changed: 2." in staff.get(answer.headers["Location"]).content.decode()


@pytest.mark.django_db
def test_what_is_confirmed_twice_is_done_once_and_shown_anew(staff: Client) -> None:
    VariantFactory(price_minor=10_00)
    sent = confirmed(staff, TEN_PERCENT)

    answers = [staff.post(ADDRESS, sent) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 200]
    assert stored() == [11_00]
    assert "Nothing was done yet" in answers[1].content.decode()


@pytest.mark.django_db
def test_a_price_that_changed_since_it_was_shown_is_shown_again_first(staff: Client) -> None:
    emma = VariantFactory(price_minor=10_00)
    VariantFactory(price_minor=20_00)
    sent = confirmed(staff, TEN_PERCENT)
    change_prices(prices=[NewPrice(emma.pk, 10_00, 5_00)], why="x", by_user_id=1, at=now())

    answer = staff.post(ADDRESS, sent)

    assert (answer.status_code, stored()) == (200, [5_00, 20_00])
    assert "Nothing was done yet" in answer.content.decode()
    assert [row[3] for row in answer.context["form"].rows()] == ["€5.50", "€22.00"]


@pytest.mark.django_db
def test_a_category_has_those_below_it_and_the_archive_is_left_alone(staff: Client) -> None:
    shelf = CategoryFactory()
    below = CategoryFactory(parent=shelf)
    mine = [
        VariantFactory(price_minor=10_00, product__category=category) for category in (shelf, below)
    ]
    VariantFactory(price_minor=10_00)
    VariantFactory(price_minor=10_00, product__category=shelf, currency="JPY")
    VariantFactory(
        price_minor=10_00,
        product__category=shelf,
        product__is_published=False,
        product__archived_at=now(),
    )

    staff.post(ADDRESS, confirmed(staff, TEN_PERCENT | {"category": str(shelf.pk)}))

    changed = Variant.objects.filter(price_minor=11_00)
    assert set(changed) == set(mine)


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["variant", "product"])
def test_those_that_were_ticked_in_a_list_are_changed_and_no_others(
    staff: Client, model: str
) -> None:
    ticked, _other = VariantFactory(price_minor=10_00), VariantFactory(price_minor=10_00)
    row = ticked.pk if model == "variant" else ticked.product_id

    page = staff.post(
        f"/admin/shop/{model}/",
        {"action": "change_prices_of_selected", "_selected_action": row, "index": "0"},
    )
    assert page.context["form"].initial["variants"] == str(ticked.pk)
    assert f'action="{ADDRESS}"' in page.content.decode()
    sent = confirmed(staff, TEN_PERCENT | {"variants": str(ticked.pk)})
    staff.post(ADDRESS, sent)

    assert stored() == [11_00, 10_00]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"figure": "0"}, "figure", "Enter a figure other than 0."),
        ({"figure": "ten"}, "figure", "Enter a number."),
        ({"figure": "-100"}, "__all__", "These would cost nothing or less: EMMA-H."),
        (
            {"by": "amount", "figure": "-9.99"},
            "__all__",
            "These would cost nothing or less: EMMA-H.",
        ),
        ({"figure": "0.01"}, "__all__", "No price would change by that."),
        (
            {"by": "amount", "figure": "99999990.01"},
            "__all__",
            "These would cost more than a price can be: EMMA-H.",
        ),
        (
            {"rounding": "50"},
            "rounding",
            "Select a valid choice. 50 is not one of the available choices.",
        ),
        ({"variants": "1;2"}, "variants", "Enter a valid value."),
    ],
)
def test_a_rule_that_makes_no_sense_is_asked_for_again(
    staff: Client, form: dict[str, str], field: str, words: str
) -> None:
    VariantFactory(sku="EMMA-H", price_minor=9_99)

    answer = staff.post(ADDRESS, TEN_PERCENT | form | {"confirmed": "1"})

    assert answer.status_code == 422
    assert answer.context["form"].errors[field] == [words]
    assert stored() == [9_99]


@pytest.mark.django_db
def test_amounts_have_the_digits_of_the_currency(staff: Client, settings: LazySettings) -> None:
    settings.SHOP_CURRENCY = "JPY"
    VariantFactory(price_minor=500)
    form = TEN_PERCENT | {"by": "amount", "figure": "0.5"}

    assert staff.post(ADDRESS, form).status_code == 422
    staff.post(ADDRESS, confirmed(staff, form | {"figure": "-20"}))

    assert stored() == [480]


@pytest.mark.django_db
def test_too_many_at_once_are_refused(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_prices, "MOST", 2)
    for _ in range(3):
        VariantFactory()

    answer = staff.post(ADDRESS, TEN_PERCENT)

    assert answer.context["form"].errors["__all__"] == [
        "These are more than 2 prices: choose fewer at a time."
    ]


@pytest.mark.django_db
def test_a_long_table_is_cut_and_all_of_it_done(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(205):
        VariantFactory(sku=f"SKU-{number:03}", price_minor=10_00, on_hand=0)

    page = staff.post(ADDRESS, TEN_PERCENT).content.decode()
    assert ("SKU-199" in page, "SKU-200" in page, "And 5 more." in page) == (True, False, True)
    sent = confirmed(staff, TEN_PERCENT)
    with django_assert_max_num_queries(15):
        staff.post(ADDRESS, sent)

    assert set(stored()) == {11_00}
    assert PriceChange.objects.count() == 205


@pytest.mark.django_db
@pytest.mark.parametrize("may", ["view_.*", "view_.*|move_stock|change_product"])
def test_only_who_may_change_variants_changes_prices(may: str) -> None:
    clerk = clerk_who_may(may)
    VariantFactory(price_minor=10_00)

    answers = [clerk.get(ADDRESS), clerk.post(ADDRESS, TEN_PERCENT | {"confirmed": "1"})]

    assert [answer.status_code for answer in answers] == [403, 403]
    for model in ("variant", "product"):
        page = clerk.get(f"/admin/shop/{model}/").content.decode()
        assert "change_prices" not in page
    assert stored() == [10_00]
