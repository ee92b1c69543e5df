"""Prices and stock are edited in the list itself, row by row, by forms that need no JavaScript."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from shop import services
from shop.clock import now
from shop.models import PriceChange, StockMovement, Variant
from shop.prices import NewPrice, change_prices
from shop.tests.clerks import clerk_who_may
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

ADDRESS = "/admin/shop/variant/"


def prices_form(*rows: tuple[Variant, int, str]) -> dict[str, object]:
    """Return what the list sends of these rows: variant, the price that was seen, what is typed."""
    form: dict[str, object] = {"quick": "prices"}
    for variant, seen_minor, typed in rows:
        form |= {f"price-{variant.pk}": typed, f"seen-{variant.pk}": seen_minor}
    return form


def stock_form(variant: Variant, **fields: object) -> dict[str, object]:
    usual = {"difference": "-2", "reason": "Water", "form_key": str(uuid4())}
    return {"quick": variant.pk, "_form_submitted": "True", **usual, **fields}


def reread(variant: Variant) -> Variant:
    return Variant.objects.get(pk=variant.pk)


def cells(answer: Any, variant: Variant) -> Any:
    (row,) = (row for row in answer.context["cl"].result_list if row.pk == variant.pk)
    return row.cells


def told(staff: Client) -> str:
    return staff.get(ADDRESS).content.decode()


def test_only_prices_that_were_changed_are_saved_and_no_counter_is(
    staff: Client, boss: Any
) -> None:
    emma, walden = VariantFactory(price_minor=12_00), VariantFactory(price_minor=8_00)
    services.reserve(quantities={emma.pk: 3}, reference="R1", at=now())

    answer = staff.post(
        f"{ADDRESS}?q=SKU", prices_form((emma, 12_00, "9.99"), (walden, 8_00, "8.00"))
    )

    assert (answer.status_code, answer.headers["Location"]) == (302, f"{ADDRESS}?q=SKU")
    stored = reread(emma)
    assert (stored.price_minor, stored.on_hand, stored.reserved) == (9_99, 10, 3)
    line = PriceChange.objects.get()
    assert (line.variant, line.why, line.by_user_id) == (emma, "in the list of prices", boss.pk)
    assert "Prices saved: 1." in told(staff)


def test_a_price_that_somebody_else_set_meanwhile_is_told_and_not_overwritten(
    staff: Client,
) -> None:
    emma, walden = VariantFactory(price_minor=12_00), VariantFactory(price_minor=8_00)
    change_prices(prices=[NewPrice(emma.pk, 12_00, 15_00)], why="x", by_user_id=1, at=now())

    answer = staff.post(ADDRESS, prices_form((emma, 12_00, "9.99"), (walden, 8_00, "7")))

    assert answer.status_code == 422
    assert (reread(emma).price_minor, reread(walden).price_minor) == (15_00, 7_00)
    row = cells(answer, emma)
    assert (row.price, row.seen_minor) == ("9.99", 15_00)
    assert row.price_error.startswith("Meanwhile somebody set this to €15.00.")
    page = answer.content.decode()
    assert f'aria-invalid="true" aria-describedby="price-error-{emma.pk}"' in page
    again = prices_form((emma, row.seen_minor, row.price))
    assert staff.post(ADDRESS, again).status_code == 302
    assert reread(emma).price_minor == 9_99


@pytest.mark.parametrize("typed", ["", "twelve", "-1", "9.999", "1e30", "NaN", "٣"])
def test_a_price_that_is_none_is_refused_beside_its_row(staff: Client, typed: str) -> None:
    emma, walden = VariantFactory(price_minor=12_00), VariantFactory(price_minor=8_00)

    answer = staff.post(ADDRESS, prices_form((emma, 12_00, typed), (walden, 8_00, "7")))

    stored = reread(emma).price_minor
    if typed == "٣":
        assert (answer.status_code, stored) == (302, 3_00)
        return
    assert (answer.status_code, stored) == (422, 12_00)
    assert cells(answer, emma).price_error
    assert cells(answer, emma).price == typed
    assert reread(walden).price_minor == 7_00


def test_prices_are_typed_in_the_digits_of_their_currency(staff: Client) -> None:
    yen = VariantFactory(price_minor=500, currency="JPY")
    assert cells(staff.get(ADDRESS), yen).price == "500"

    assert staff.post(ADDRESS, prices_form((yen, 500, "4.5"))).status_code == 422
    assert staff.post(ADDRESS, prices_form((yen, 500, "450"))).status_code == 302

    assert reread(yen).price_minor == 450


@pytest.mark.parametrize(
    "form",
    [
        {"quick": "prices"},
        {"quick": "prices", "price-0": "1", "seen-0": "2"},
        {"quick": "prices", "price-abc": "1"},
        {"quick": "prices", "price-99999999999999999999": "1"},
    ],
)
def test_a_form_that_names_no_row_changes_nothing(staff: Client, form: dict[str, str]) -> None:
    VariantFactory()

    assert staff.post(ADDRESS, form).status_code == 302

    assert not PriceChange.objects.exists()
    assert "No price was changed." in told(staff)


@pytest.mark.parametrize("seen", ["", "x", "-5"])
def test_a_price_without_one_that_was_seen_is_asked_for_again(staff: Client, seen: str) -> None:
    emma = VariantFactory(price_minor=12_00)

    answer = staff.post(
        ADDRESS, {"quick": "prices", f"price-{emma.pk}": "9", f"seen-{emma.pk}": seen}
    )

    assert (answer.status_code, reread(emma).price_minor) == (422, 12_00)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_save_at_once_one_is_told_of_the_other(boss: Any) -> None:
    emma = VariantFactory(price_minor=12_00)

    def save(typed: str) -> int:
        client = Client()
        client.force_login(boss)
        try:
            return client.post(ADDRESS, prices_form((emma, 12_00, typed))).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as staff:
        answers = sorted(staff.map(save, ["9.00", "10.00"]))

    assert answers == [302, 422]
    assert PriceChange.objects.count() == 1


def test_stock_is_moved_in_its_row_by_a_difference_and_a_reason(staff: Client, boss: Any) -> None:
    emma = VariantFactory(sku="EMMA-H", on_hand=10)

    answer = staff.post(f"{ADDRESS}?stock=low", stock_form(emma))

    assert (answer.status_code, answer.headers["Location"]) == (302, f"{ADDRESS}?stock=low")
    movement = StockMovement.objects.filter(kind="adjusted").get()
    assert (movement.on_hand_delta, movement.reference, movement.moved_by_id) == (
        -2,
        "Water",
        boss.pk,
    )
    assert reread(emma).on_hand == 8
    assert "-2 units of EMMA-H." in told(staff)


def test_stock_that_is_moved_twice_by_one_form_moves_once(staff: Client) -> None:
    emma = VariantFactory(on_hand=10)
    page = staff.get(ADDRESS).content.decode()
    (key,) = re.findall(r'name="form_key" value="([0-9a-f-]{36})"', page)

    answers = [staff.post(ADDRESS, stock_form(emma, form_key=key)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert reread(emma).on_hand == 8
    assert "Nothing was moved a second time" in told(staff)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"difference": "0"}, "Difference: Enter a difference other than 0."),
        ({"difference": "few"}, "Difference: Enter a whole number."),
        ({"reason": " "}, "Reason: This field is required."),
        ({"difference": "-8"}, "Only 7 units are free, pending orders hold the others."),
    ],
)
def test_stock_that_cannot_be_moved_is_told_beside_its_row(
    staff: Client, fields: dict[str, str], error: str
) -> None:
    emma = VariantFactory(on_hand=10)
    services.reserve(quantities={emma.pk: 3}, reference="R1", at=now())

    answer = staff.post(ADDRESS, stock_form(emma, **fields))

    assert answer.status_code == 422
    row = cells(answer, emma)
    assert row.stock_error == error
    assert f'aria-describedby="stock-error-{emma.pk}"' in answer.content.decode()
    assert (reread(emma).on_hand, StockMovement.objects.count()) == (10, 2)


@pytest.mark.parametrize("quick", ["0", "abc", "-1"])
def test_stock_of_an_unknown_variant_is_not_found(staff: Client, quick: str) -> None:
    form = stock_form(VariantFactory()) | {"quick": quick}

    assert staff.post(ADDRESS, form).status_code == 404


def test_fields_of_the_rows_name_forms_that_are_there(staff: Client) -> None:
    """Without JavaScript it is these names that send a field along."""
    emma = VariantFactory()

    page = staff.get(ADDRESS).content.decode()

    # The price, what was seen, and the button below the table.
    assert page.count('form="prices"') == 3
    assert page.count(f'form="stock-{emma.pk}"') == 3
    assert page.count('<form id="prices" method="post"') == 1
    assert page.count(f'<form id="stock-{emma.pk}" method="post"') == 1


@pytest.mark.parametrize(
    ("may", "prices", "stock"),
    [
        ("view_.*", 403, 403),
        ("view_.*|change_variant", 302, 403),
        ("view_.*|move_stock", 403, 302),
    ],
)
def test_a_clerk_sees_and_sends_what_he_may(may: str, prices: int, stock: int) -> None:
    clerk = clerk_who_may(may)
    emma = VariantFactory(price_minor=12_00, on_hand=10)

    page = clerk.get(ADDRESS).content.decode()
    answers = [
        clerk.post(ADDRESS, prices_form((emma, 12_00, "9.99"))),
        clerk.post(ADDRESS, stock_form(emma)),
    ]

    assert [answer.status_code for answer in answers] == [prices, stock]
    assert ('id="prices"' in page, f'id="stock-{emma.pk}"' in page) == (
        prices == 302,
        stock == 302,
    )
    stored = reread(emma)
    assert stored.price_minor == (9_99 if prices == 302 else 12_00)
    assert stored.on_hand == (8 if stock == 302 else 10)


def test_a_row_says_what_is_free_and_of_how_many_if_some_are_held(staff: Client) -> None:
    emma = VariantFactory(on_hand=14)
    VariantFactory(on_hand=3)
    services.reserve(quantities={emma.pk: 2}, reference="R1", at=now())

    page = staff.get(ADDRESS).content.decode()

    assert page.count("of 14 on hand") == 1
    assert "3, low" in page
    assert "of 3 on hand" not in page


def test_the_list_costs_the_same_however_long(
    staff: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(12):
        VariantFactory()

    with django_assert_max_num_queries(6):
        answer = staff.get(ADDRESS, {"q": "SKU"})

    assert len(answer.context["cl"].result_list) == 12


def test_a_variant_that_was_never_in_stock_is_deleted_on_its_page_and_no_other(
    staff: Client,
) -> None:
    fresh, used = VariantFactory(on_hand=0), VariantFactory(on_hand=1)
    pages = [reverse("admin:shop_variant_change", args=[v.pk]) for v in (fresh, used)]
    shown = [
        f"{v.pk}/delete/" in staff.get(p).content.decode()
        for v, p in zip((fresh, used), pages, strict=True)
    ]

    answers = [
        staff.post(reverse("admin:shop_variant_delete", args=[v.pk]), {"post": "yes"})
        for v in (fresh, used)
    ]

    assert shown == [True, False]
    assert [answer.status_code for answer in answers] == [302, 403]
    assert list(Variant.objects.all()) == [used]
