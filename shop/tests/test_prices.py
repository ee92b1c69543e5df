"""Prices change by one service, which keeps their history; the database sees to the rest."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from shop.models import PriceChange, Variant
from shop.prices import NewPrice, PriceMoved, change_prices
from shop.tests.factories import ProductFactory, VariantFactory
from shop.tests.guards import append_only_tables, assert_append_only
from shop.tests.locks import is_somebody_waiting
from shop.tests.waiting import wait_until

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def change(*prices: NewPrice) -> int:
    return change_prices(prices=prices, why="sale", by_user_id=7, at=NOON)


def price_of(variant: Variant) -> int:
    return Variant.objects.get(pk=variant.pk).price_minor


def history() -> list[tuple[Any, ...]]:
    told = PriceChange.objects.order_by("pk")
    return list(told.values_list("variant", "old_minor", "new_minor", "why", "by_user_id"))


@pytest.mark.django_db
def test_a_change_sets_the_price_and_leaves_one_line() -> None:
    variant = VariantFactory(price_minor=12_00, currency="JPY")

    assert change(NewPrice(variant.pk, 12_00, 9_99)) == 1

    assert price_of(variant) == 9_99
    line = PriceChange.objects.get()
    assert (line.variant_id, line.old_minor, line.new_minor) == (variant.pk, 12_00, 9_99)
    assert (line.currency, line.why, line.by_user_id, line.changed_at) == ("JPY", "sale", 7, NOON)


@pytest.mark.django_db
def test_repeating_a_change_leaves_no_second_line() -> None:
    variant = VariantFactory(price_minor=12_00)

    assert [change(NewPrice(variant.pk, 12_00, 9_99)) for _ in range(2)] == [1, 0]

    assert history() == [(variant.pk, 12_00, 9_99, "sale", 7)]


@pytest.mark.django_db
def test_prices_that_moved_meanwhile_are_all_named_and_none_is_changed() -> None:
    same, dearer, cheaper = (VariantFactory(price_minor=10_00) for _ in range(3))
    change(NewPrice(dearer.pk, 10_00, 11_00), NewPrice(cheaper.pk, 10_00, 9_00))
    before = history()

    with pytest.raises(PriceMoved) as refused:
        change(*(NewPrice(variant.pk, 10_00, 5_00) for variant in (same, dearer, cheaper)))

    assert refused.value.moved == {dearer.pk: (11_00, "EUR"), cheaper.pk: (9_00, "EUR")}
    assert [price_of(v) for v in (same, dearer, cheaper)] == [10_00, 11_00, 9_00]
    assert history() == before


@pytest.mark.django_db
def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(Variant.DoesNotExist):
        change(NewPrice(0, 1, 2))


@pytest.mark.django_db(transaction=True)
def test_of_two_who_change_what_both_saw_one_is_refused() -> None:
    variant = VariantFactory(price_minor=10_00)

    def set_to(price_minor: int) -> bool:
        try:
            change(NewPrice(variant.pk, 10_00, price_minor))
        except PriceMoved:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as staff:
        done = list(staff.map(set_to, [8_00, 9_00, 11_00, 12_00]))

    assert done.count(True) == 1
    ((_variant, old, new, _why, _by),) = history()
    assert (old, new) == (10_00, price_of(variant))


@pytest.mark.django_db
def test_stock_that_moves_meanwhile_is_not_written_back(
    django_assert_max_num_queries: Any,
) -> None:
    variants = [VariantFactory(on_hand=3) for _ in range(10)]

    with django_assert_max_num_queries(6):
        change(*(NewPrice(variant.pk, 12_00, 1_00) for variant in variants))

    assert set(Variant.objects.values_list("on_hand", "price_minor")) == {(3, 1_00)}


@pytest.mark.django_db
def test_a_price_that_is_changed_past_the_service_is_told_all_the_same() -> None:
    variant = VariantFactory(price_minor=10_00)
    change(NewPrice(variant.pk, 10_00, 9_00))

    Variant.objects.filter(pk=variant.pk).update(price_minor=10_00)
    Variant.objects.filter(pk=variant.pk).update(price_minor=9_00)
    Variant.objects.filter(pk=variant.pk).update(price_minor=9_00, position=3)

    assert history() == [
        (variant.pk, 10_00, 9_00, "sale", 7),
        (variant.pk, 9_00, 10_00, "in the database", None),
        (variant.pk, 10_00, 9_00, "in the database", None),
    ]


@pytest.mark.django_db
def test_history_is_never_edited_or_deleted_and_outlives_its_variant() -> None:
    variant = VariantFactory(price_minor=10_00, on_hand=0)
    change(NewPrice(variant.pk, 10_00, 9_00))

    assert append_only_tables("shop") == {"shop_stockmovement", "shop_pricechange"}
    assert_append_only(PriceChange.objects.get(), new_minor=1)
    variant.product.delete()

    assert not Variant.objects.exists()
    assert PriceChange.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", [{"new_minor": 5}, {"old_minor": -1}, {"currency": "eur"}])
def test_history_refuses_what_is_no_change(wrong: dict[str, Any]) -> None:
    line = {"old_minor": 5, "new_minor": 6, "currency": "EUR"}

    with pytest.raises(IntegrityError), transaction.atomic():
        PriceChange.objects.create(variant_id=1, why="x", changed_at=NOON, **line | wrong)

    assert not PriceChange.objects.exists()


def _product_form(variant: Variant, **fields: Any) -> dict[str, Any]:
    product = variant.product
    row = {
        "id": variant.pk,
        "sku": variant.sku,
        "title": variant.title,
        "position": 0,
        "is_active": "on",
    }
    return {
        "title": product.title,
        "slug": product.slug,
        "category": product.category_id,
        "is_published": "on",
        "attributes": "{}",
        "variants-TOTAL_FORMS": 1,
        "variants-INITIAL_FORMS": 1,
        "images-TOTAL_FORMS": 0,
        "images-INITIAL_FORMS": 0,
    } | {f"variants-0-{name}": value for name, value in (row | fields).items()}


@pytest.mark.django_db
def test_the_products_page_changes_prices_and_shows_what_they_were(
    staff: Client, boss: Any
) -> None:
    variant = VariantFactory(price_minor=12_00)
    address = reverse("admin:shop_product_change", args=[variant.product_id])
    form = _product_form(variant, price="9.99", seen_minor=12_00)

    answers = [staff.post(address, form) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert history() == [(variant.pk, 12_00, 9_99, "on the product's page", boss.pk)]
    page = staff.get(address).content.decode()
    assert "€12.00" in page
    assert f"/admin/shop/pricechange/?variant__product={variant.product_id}" in page
    own = staff.get(reverse("admin:shop_variant_change", args=[variant.pk])).content.decode()
    assert "€12.00" in own
    assert boss.email in own


@pytest.mark.django_db
def test_the_history_of_a_product_has_its_variants_only(staff: Client) -> None:
    product = ProductFactory()
    mine = [VariantFactory(product=product, price_minor=10_00) for _ in range(2)]
    change(*(NewPrice(variant.pk, 10_00, 5_00) for variant in [*mine]))
    change(NewPrice(VariantFactory(price_minor=10_00).pk, 10_00, 5_00))

    listed = staff.get(
        reverse("admin:shop_pricechange_changelist"), {"variant__product": product.pk}
    ).context["cl"]

    assert {line.variant for line in listed.result_list} == set(mine)


@pytest.mark.django_db
def test_a_price_that_somebody_else_set_meanwhile_is_not_overwritten(staff: Client) -> None:
    variant = VariantFactory(price_minor=12_00)
    address = reverse("admin:shop_product_change", args=[variant.product_id])
    change(NewPrice(variant.pk, 12_00, 15_00))

    untouched = staff.post(address, _product_form(variant, price="12.00", seen_minor=12_00))
    refused = staff.post(
        address, _product_form(variant, price="9.99", seen_minor=12_00, title="Leather")
    )

    assert (untouched.status_code, refused.status_code) == (302, 200)
    assert (price_of(variant), len(history())) == (15_00, 1)
    (row,) = refused.context["inline_admin_formsets"][0].formset.forms
    assert row.errors["price"] == [
        "Meanwhile somebody set this to €15.00. Save again to replace it."
    ]
    assert Variant.objects.get().title == variant.title
    again = _product_form(variant, price="9.99", seen_minor=row["seen_minor"].value())
    assert staff.post(address, again).status_code == 302
    assert price_of(variant) == 9_99


@pytest.mark.django_db(transaction=True)
def test_a_page_that_is_saved_while_a_price_changes_is_told_of_it(boss: Any) -> None:
    variant = VariantFactory(price_minor=12_00)
    address = reverse("admin:shop_product_change", args=[variant.product_id])
    form = _product_form(variant, price="9.99", seen_minor=12_00)
    staff = Client()
    staff.force_login(boss)

    def save() -> int:
        try:
            return staff.post(address, form).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        with transaction.atomic():
            change(NewPrice(variant.pk, 12_00, 15_00))
            answer = other.submit(save)
            wait_until(is_somebody_waiting)
        assert answer.result() == 200

    assert (price_of(variant), len(history())) == (15_00, 1)
