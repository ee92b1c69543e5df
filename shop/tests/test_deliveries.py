"""Goods are received by the delivery: written down, looked over, booked once, all or nothing."""

import re
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from shop import deliveries, services
from shop.clock import now
from shop.deliveries import UnfitLines, read_lines
from shop.models import StockMovement, Variant
from shop.tests.clerks import clerk_who_may
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

ADDRESS = "/admin/shop/variant/receive_goods/"


def confirmed(staff: Client, address: str, form: dict[str, Any]) -> dict[str, Any]:
    """Return what the page that shows what the form will do sends once that is confirmed."""
    page = staff.post(address, form).content.decode()
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    return dict(hidden) | {"confirmed": "1"}


def delivery(staff: Client, lines: str, reference: str = "DHL 12") -> dict[str, Any]:
    key = staff.get(ADDRESS).context["form"]["key"].value()
    return {"key": str(key), "reference": reference, "lines": lines}


def units(variant: Variant) -> int:
    return Variant.objects.get(pk=variant.pk).on_hand


def test_a_delivery_is_shown_then_booked_with_its_reference(staff: Client, boss: Any) -> None:
    emma = VariantFactory(sku="EMMA-H", on_hand=3, product__title="Emma")
    walden = VariantFactory(sku="WALDEN", on_hand=0)
    form = delivery(staff, "EMMA-H;5\r\n\r\nWALDEN\t2\r\nEMMA-H, 1\r\nWALDEN\r\n")

    shown = staff.post(ADDRESS, form)
    assert (shown.status_code, StockMovement.objects.count()) == (200, 1)
    assert shown.context["form"].rows() == [
        ["EMMA-H", "Emma, Paperback", "+6", 3, 9],
        ["WALDEN", f"{walden.product.title}, Paperback", "+3", 0, 3],
    ]
    answer = staff.post(ADDRESS, confirmed(staff, ADDRESS, form))

    assert answer.status_code == 302
    assert (units(emma), units(walden)) == (9, 3)
    moved = StockMovement.objects.filter(reference="DHL 12").order_by("variant")
    assert [(m.kind, m.on_hand_delta, m.moved_by_id) for m in moved] == [
        ("received", 6, boss.pk),
        ("received", 3, boss.pk),
    ]
    page = staff.get(answer.headers["Location"]).content.decode()
    assert "Units received: 9." in page


def test_a_delivery_that_is_sent_twice_is_booked_once(staff: Client) -> None:
    emma = VariantFactory(sku="EMMA-H", on_hand=0)
    walden = VariantFactory(sku="WALDEN", on_hand=0)
    sent = confirmed(staff, ADDRESS, delivery(staff, "EMMA-H;5"))

    answers = [staff.post(ADDRESS, sent) for _ in range(2)]
    again = staff.post(ADDRESS, sent | {"lines": "EMMA-H;7\nWALDEN;1"})

    assert [answer.status_code for answer in [*answers, again]] == [302, 302, 302]
    assert (units(emma), units(walden)) == (5, 1)
    page = staff.get(again.headers["Location"]).content.decode()
    assert "Nothing was moved a second time." in page
    assert "Units received: 1. SKUs that this form had booked before, and not again: 1." in page


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("EMMA-H;1\nNOWHERE;2", "Line 2: there is no SKU 'NOWHERE'."),
        ("EMMA-H 5", "Line 1: there is no SKU 'EMMA-H 5'."),
        ("EMMA-H;", "Line 1: '' is no quantity from 1 to 100,000."),
        ("EMMA-H;0", "Line 1: '0' is no quantity from 1 to 100,000."),
        ("EMMA-H;-1", "Line 1: '-1' is no quantity from 1 to 100,000."),
        ("EMMA-H;1.5", "Line 1: '1.5' is no quantity from 1 to 100,000."),
        ("EMMA-H;100001", "Line 1: '100001' is no quantity from 1 to 100,000."),
        ("EMMA-H;٣", "Line 1: '٣' is no quantity from 1 to 100,000."),
        (" \n ", "This field is required."),
        ("EMMA-H\n" * 501, "501 lines are too many: enter 500 at a time."),
    ],
)
def test_lines_that_make_no_sense_are_named_and_nothing_is_booked(
    staff: Client, lines: str, problem: str
) -> None:
    variant = VariantFactory(sku="EMMA-H", on_hand=0)

    for confirm in ({}, {"confirmed": "1"}):
        answer = staff.post(ADDRESS, delivery(staff, lines) | confirm)

        assert answer.status_code == 422
        assert answer.context["form"].errors["lines"] == [problem]
    assert (units(variant), StockMovement.objects.count()) == (0, 0)


def test_a_sku_may_hold_what_parts_lines() -> None:
    variant = VariantFactory(sku="A;B,C")

    (line,) = read_lines("A;B,C;4")

    assert (line.variant, line.quantity) == (variant, 4)


def test_only_the_first_problems_are_told() -> None:
    with pytest.raises(UnfitLines) as refused:
        read_lines("\n".join(f"NO-{number};1" for number in range(100)))

    assert len(refused.value.problems) == deliveries._PROBLEMS_TOLD


def test_what_is_typed_stays_where_it_is_when_it_is_to_be_changed(staff: Client) -> None:
    VariantFactory(sku="EMMA-H")
    form = delivery(staff, "EMMA-H;5")

    answer = staff.post(ADDRESS, form | {"change": "1"})

    assert "EMMA-H;5" in answer.content.decode()
    assert "table" not in answer.context


@pytest.mark.parametrize("may", ["view_.*", "view_.*|change_.*|add_.*|delete_.*"])
def test_only_who_may_move_stock_receives_goods(may: str) -> None:
    clerk = clerk_who_may(may)
    VariantFactory(sku="EMMA-H", on_hand=0)
    form = {"key": "0" * 32, "reference": "x", "lines": "EMMA-H;5", "confirmed": "1"}

    answers = [clerk.get(ADDRESS), clerk.post(ADDRESS, form)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert not StockMovement.objects.exists()
    list_page = clerk.get(reverse("admin:shop_variant_changelist")).content.decode()
    assert "Receive goods" not in list_page


def test_the_button_leads_there(staff: Client) -> None:
    assert ADDRESS in staff.get(reverse("admin:shop_variant_changelist")).content.decode()


def test_a_delivery_costs_the_same_to_look_over_however_long(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    skus = [VariantFactory(on_hand=0).sku for _ in range(20)]
    form = delivery(staff, "\n".join(skus))

    with django_assert_max_num_queries(4):
        staff.post(ADDRESS, form)


def test_counts_of_many_are_corrected_all_or_none_and_every_shortage_is_named() -> None:
    plenty, few, none = (VariantFactory(on_hand=count) for count in (9, 2, 0))
    told: dict[str, Any] = {"reason": "count", "at": now(), "moved_by_id": 7}
    sheet = UUID(int=1)

    with pytest.raises(services.InsufficientStock) as refused:
        services.adjust_all(
            differences={plenty.pk: -1, few.pk: -3, none.pk: -1}, form_key=sheet, **told
        )

    assert [s.variant_id for s in refused.value.shortages] == [few.pk, none.pk]
    assert [units(variant) for variant in (plenty, few, none)] == [9, 2, 0]
    assert not StockMovement.objects.filter(kind="adjusted").exists()
    first = services.adjust_all(differences={plenty.pk: -1}, form_key=sheet, **told)
    second = services.adjust_all(differences={plenty.pk: -1, few.pk: 1}, form_key=sheet, **told)
    assert (first, second) == ({plenty.pk}, {few.pk})
    assert [units(variant) for variant in (plenty, few)] == [8, 3]
