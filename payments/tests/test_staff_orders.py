"""Staff order for somebody: with a way to pay it by mail, or paid already."""

import re
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import UserFactory, a_clerk
from orders import links
from orders.models import Order, OrderMail, Reason, Status
from orders.tests.factories import ADDRESS
from payments.models import LedgerEntry
from payments.services import manual, staff_orders
from payments.services.placing import CannotPlace
from payments.tests import support
from payments.tests.money_back import money
from shop.models import StockMovement
from shop.services import InsufficientStock
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db
NEW = reverse("admin:orders_order_new_order")
KEY = UUID(int=7)


def place(quantities: dict[int, int], **more: Any) -> Order:
    usual: dict[str, Any] = {"by": 5, "at": support.stripe_now(), "key": KEY}
    return staff_orders.place(buyer=support.a_buyer(), quantities=quantities, **usual | more)


def test_an_order_of_staff_is_held_for_a_week_and_its_buyer_told_how_to_pay() -> None:
    variant = VariantFactory(price_minor=20_00, on_hand=3)

    order = place({variant.pk: 2}, note="A gift")
    support.run_jobs()

    variant.refresh_from_db()
    assert (order.status, order.placed_by, variant.reserved) == ("pending", "staff", 2)
    assert order.hold_until == order.pay_until == order.placed_at + timedelta(days=7)
    assert (order.cart, order.total_minor) == (None, 44_90)
    placed = order.events.get()
    assert (placed.reason, placed.by_user_id) == (Reason.PLACED, 5)
    assert order.notes.get().text == "A gift"
    (told,) = mail.outbox
    assert told.subject == f"Please pay your order {order.number}"
    assert links.url(order) in str(told.body)


def test_its_buyer_pays_it_at_stripe(sandbox: Any) -> None:
    order = place({VariantFactory().pk: 1})

    paying = Client().post(reverse("payments:pay", args=[order.number, links.sign(order.number)]))
    support.pay_and_hear(sandbox, order.attempts.get())

    assert paying.status_code == 303
    assert support.reread(order).status == Status.PAID


def test_an_order_that_was_paid_in_cash_is_booked_as_such_once() -> None:
    cash = {"means": LedgerEntry.Means.CASH, "note": "At the fair"}
    variant = VariantFactory(on_hand=1)

    orders = [place({variant.pk: 1}, **cash) for _ in range(2)]

    order = Order.objects.get()
    assert orders == [order, order]
    assert order.status == Status.PAID
    assert money(order) == [("manual", order.total_minor)]
    assert (order.ledger.get().means, order.notes.get().text) == ("cash", "At the fair")
    kinds = set(order.mails.values_list("kind", flat=True))
    assert kinds == {OrderMail.Kind.CONFIRMATION}


def test_a_form_that_broke_off_between_placing_and_booking_goes_on_there() -> None:
    variant = VariantFactory(on_hand=1)
    order = staff_orders._place(
        support.a_buyer(), {variant.pk: 1}, 5, support.stripe_now(), KEY, note="", is_paid=True
    )

    again = place({variant.pk: 1}, means=LedgerEntry.Means.TRANSFER, note="By bank")

    assert (again, again.status, Order.objects.count()) == (order, Status.PAID, 1)


@pytest.mark.parametrize("unsold", [{"is_active": False}, {"product__is_published": False}])
def test_what_is_not_on_sale_is_not_ordered(unsold: dict[str, Any]) -> None:
    variant = VariantFactory(**unsold)

    with pytest.raises(CannotPlace, match="no longer on sale"):
        place({variant.pk: 1})
    with pytest.raises(CannotPlace, match="not for sale any more"):
        place({variant.pk + 1: 1})
    with pytest.raises(CannotPlace, match="Choose what is ordered"):
        place({})

    assert Order.objects.count() == 0


def test_more_than_is_free_is_not_ordered() -> None:
    variant = VariantFactory(on_hand=1)
    before = StockMovement.objects.count()

    with pytest.raises(InsufficientStock):
        place({variant.pk: 2}, means=LedgerEntry.Means.CASH, note="-")

    assert (Order.objects.count(), StockMovement.objects.count()) == (0, before)


def test_what_is_paid_by_hand_twice_is_refused(sandbox: Any) -> None:
    order = place({VariantFactory().pk: 1}, means=LedgerEntry.Means.CASH, note="-")

    entry = manual.Entry(order.total_minor, order.currency, UUID(int=8))
    with pytest.raises(manual.CannotBook):
        manual.book(order_id=order.pk, entry=entry, by=5, at=support.stripe_now())


def filled_in(staff: Client, **more: str) -> dict[str, Any]:
    key = staff.get(NEW).context["form"]["key"].value()
    return ADDRESS | {"key": key, "email": "caller@example.com", "paid": "link"} | more


def confirmed(page: Any) -> dict[str, Any]:
    sent: dict[str, Any] = {"confirmed": "1"}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" [^>]*?value="([^"]*)"', page):
        sent.setdefault(name, []).append(unescape(value))
    return sent


def test_staff_search_enter_units_and_place_the_order_once(staff: Client, boss: User) -> None:
    caller = UserFactory(email="caller@example.com")
    emma = VariantFactory(product__title="Emma", sku="EM-1", price_minor=20_00)
    persuasion = VariantFactory(product__title="Persuasion", sku="PE-1", price_minor=10_00)

    found = staff.post(NEW, filled_in(staff, words="emma", look="1"))
    assert list(found.context["found"]) == [emma]
    chosen = filled_in(staff, words="PE-", look="1", **{f"units_{emma.pk}": "2"})
    found = staff.post(NEW, chosen)
    assert list(found.context["found"]) == [persuasion]
    assert 'value="caller@example.com"' in found.text
    form = chosen | {f"units_{persuasion.pk}": "1"}
    del form["look"]
    asked = staff.post(NEW, form)
    assert Order.objects.count() == 0
    assert "held for caller@example.com, for €50.00 with shipping." in asked.text
    answers = [staff.post(NEW, confirmed(asked.text)) for _ in range(2)]

    order = Order.objects.get()
    page = reverse("admin:orders_order_change", args=[order.pk])
    assert [answer.headers["Location"] for answer in answers] == [page, page]
    assert (order.user, order.shipping_address, order.total_minor) == (caller, ADDRESS, 50_00)
    assert set(order.lines.values_list("sku", "quantity")) == {("EM-1", 2), ("PE-1", 1)}
    assert order.events.get().by_user_id == boss.pk


def test_a_new_price_is_shown_before_the_order_is_placed(staff: Client) -> None:
    variant = VariantFactory(price_minor=20_00)
    sent = confirmed(staff.post(NEW, filled_in(staff, **{f"units_{variant.pk}": "1"})).text)
    variant.price_minor = 21_00
    variant.save()

    shown = staff.post(NEW, sent)

    assert "Meanwhile this has changed" in shown.text
    assert "for €25.90 with shipping" in shown.text
    assert Order.objects.count() == 0


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"email": "nobody"}, "valid email"),
        ({"city": ""}, "Enter the city."),
        ({"paid": "cash"}, "Say what was paid"),
        ({"paid": "cheque"}, "valid choice"),
    ],
)
def test_a_wrong_form_is_shown_again(staff: Client, typed: dict[str, str], words: str) -> None:
    variant = VariantFactory()

    form = filled_in(staff, **{f"units_{variant.pk}": "1"}) | typed
    answer = staff.post(NEW, form | {"confirmed": "1"})

    assert (answer.status_code, Order.objects.count()) == (422, 0)
    assert words in str(answer.context["form"].errors)


def test_what_is_short_is_said_with_what_is_free(staff: Client) -> None:
    variant = VariantFactory(product__title="Emma", on_hand=1)
    sent = confirmed(staff.post(NEW, filled_in(staff, **{f"units_{variant.pk}": "5"})).text)

    answer = staff.post(NEW, sent)

    assert (answer.status_code, Order.objects.count()) == (422, 0)
    assert "1 are free" in str(answer.context["form"].errors)


def test_without_books_nothing_is_placed(staff: Client) -> None:
    answer = staff.post(NEW, filled_in(staff, units_x="1", units_5="-1") | {"confirmed": "1"})

    assert (answer.status_code, Order.objects.count()) == (422, 0)
    assert "Choose what is ordered" in answer.text


def test_who_may_not_order_for_others_is_refused(client: Client) -> None:
    client.force_login(a_clerk("view_.*|change_order"))

    assert client.get(NEW).status_code == 403
    assert client.post(NEW, {"confirmed": "1"}).status_code == 403
    assert NEW not in client.get(reverse("admin:orders_order_changelist")).text
