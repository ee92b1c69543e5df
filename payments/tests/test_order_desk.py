"""The order desk: what staff do to an order beside its money, and how they find it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import UserFactory, a_clerk
from orders import services as orders
from orders.models import Fulfillment, Order, OrderEvent, OrderMail, OrderNote, Reason, Status
from orders.tests.factories import ADDRESS, PLACED_AT, PendingOrderFactory
from payments.admin import order_search
from payments.models import LedgerEntry
from payments.services import fulfilling
from payments.tests import support
from payments.tests.deeds import confirmed, do, filled_in, order_page, page_of
from payments.tests.money_back import paid_order, refunded
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db
ORDERS = reverse("admin:orders_order_changelist")
DHL = "https://www.dhl.com/global-en/home/tracking.html?tracking-id=JD%200140"


def listed(staff: Client, **asked: str) -> list[Order]:
    return list(staff.get(ORDERS, asked).context["cl"].result_list)


def handed_over(order: Order, **units: int) -> Fulfillment:
    line = order.lines.get()
    return fulfilling.hand_over(
        order_id=order.pk, quantities={line.pk: units.get("units", 1)}, by=1, at=PLACED_AT
    )


def test_a_parcel_is_handed_over_with_its_number_and_a_mail_once(
    staff: Client, boss: User, sandbox: Any
) -> None:
    order = paid_order(sandbox, VariantFactory(product__title="Emma"), quantity=2)
    line, address = order.lines.get(), page_of(order, "hand_over")
    parcel = {"carrier": "DHL", "tracking_number": "JD 0140", "is_told": "on"}
    form = filled_in(staff, address, **parcel, **{f"units_{line.pk}": "2"})

    asked = staff.post(address, form)
    assert (asked.status_code, Fulfillment.objects.count()) == (200, 0)
    assert f"Handed over: 2 x {line.title}; the order is fulfilled." in asked.text
    assert "A mail tells the buyer (DHL JD 0140, with a link to follow it)." in asked.text
    sent = confirmed(staff, address, form)
    answers = [staff.post(address, sent) for _ in range(2)]
    mail.outbox.clear()
    support.run_jobs()

    assert [answer.status_code for answer in answers] == [302, 302]
    row = Fulfillment.objects.get()
    assert (row.carrier, row.tracking_number, row.by_user_id) == ("DHL", "JD 0140", boss.pk)
    assert row.tracking_url == DHL
    assert support.reread(order).status == Status.FULFILLED
    (told,) = mail.outbox
    assert (told.to, told.subject) == ([order.email], f"Order {order.number} is on its way")
    assert f"2 \N{MULTIPLICATION SIGN} {line.title}" in str(told.body)
    assert DHL in str(told.body)
    assert "done once" in staff.get(order_page(order)).text


def test_some_units_are_handed_over_without_a_mail(staff: Client, sandbox: Any) -> None:
    order = paid_order(sandbox, quantity=3)
    units = f"units_{order.lines.get().pk}"

    do(staff, page_of(order, "hand_over"), **{units: "1"})

    assert support.reread(order).status == Status.PAID
    assert not order.mails.filter(kind=OrderMail.Kind.SENT).exists()
    assert staff.get(page_of(order, "hand_over")).context["form"].fields[units].initial == 2


@pytest.mark.parametrize(("units", "words"), [("0", "how many units"), ("4", "less than or equal")])
def test_so_many_units_are_not_handed_over(
    staff: Client, sandbox: Any, units: str, words: str
) -> None:
    order = paid_order(sandbox, quantity=3)
    address = page_of(order, "hand_over")

    form = filled_in(staff, address, **{f"units_{order.lines.get().pk}": units})
    answer = staff.post(address, form | {"confirmed": "1"})

    assert (answer.status_code, Fulfillment.objects.count()) == (422, 0)
    assert words in str(answer.context["form"].errors)


def test_an_order_that_waits_for_its_money_is_not_handed_over(staff: Client) -> None:
    order = PendingOrderFactory()
    address = page_of(order, "hand_over")

    form = filled_in(staff, address, **{f"units_{order.lines.get().pk}": "1"})
    answer = staff.post(address, form)

    assert answer.status_code == 422
    assert "This order is awaiting payment." in str(answer.context["form"].errors)
    assert address not in staff.get(order_page(order)).text


def test_a_parcel_is_marked_as_delivered_once(staff: Client, boss: User, sandbox: Any) -> None:
    order = paid_order(sandbox)
    parcel = handed_over(order)

    for _ in range(2):
        do(staff, page_of(order, "delivered"), parcel=str(parcel.pk))

    parcel.refresh_from_db()
    assert parcel.delivered_at is not None
    told = order.events.get(reason=Reason.DELIVERED)
    assert (told.cause, told.by_user_id) == (str(parcel.pk), boss.pk)
    assert page_of(order, "delivered") not in staff.get(order_page(order)).text


def test_the_address_is_changed_until_something_is_handed_over(
    staff: Client, boss: User, sandbox: Any
) -> None:
    order = paid_order(sandbox, quantity=2)
    address, lane = page_of(order, "address"), ADDRESS | {"line1": "2 Short Street"}

    assert staff.get(address).context["form"]["line1"].value() == "1 Long Lane"
    for _ in range(2):
        do(staff, address, **lane)

    assert support.reread(order).shipping_address == lane
    changed = order.events.get(reason=Reason.ADDRESS_CHANGED)
    assert changed.by_user_id == boss.pk
    handed_over(order)
    refused = do(staff, address, **ADDRESS)
    assert refused.status_code == 422
    assert "handed over already" in str(refused.context["form"].errors)
    assert support.reread(order).shipping_address == lane


def test_an_address_that_is_not_one_is_shown_again(staff: Client) -> None:
    order = PendingOrderFactory()

    wrong = ADDRESS | {"city": "", "country": "XX"}
    answer = staff.post(page_of(order, "address"), wrong | {"confirmed": "1"})

    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"key", "city", "country"}
    assert support.reread(order).shipping_address == ADDRESS


def test_a_mail_is_sent_again_once_per_form(staff: Client, boss: User, sandbox: Any) -> None:
    order = paid_order(sandbox)
    support.run_jobs()
    first = order.mails.get(kind=OrderMail.Kind.CONFIRMATION)
    mail.outbox.clear()
    address = page_of(order, "send_again")
    sent = confirmed(staff, address, filled_in(staff, address, mail=str(first.pk)))

    for _ in range(2):
        staff.post(address, sent)
    support.run_jobs()

    (told,) = mail.outbox
    assert order.number in told.subject
    again = order.mails.exclude(pk=first.pk).get()
    assert (again.kind, again.facts) == (first.kind, first.facts)
    assert order.events.get(reason=Reason.MAIL_REPEATED).by_user_id == boss.pk


def test_a_mail_that_is_not_sent_yet_is_not_sent_again(staff: Client) -> None:
    order = PendingOrderFactory()
    unsent = orders.owe_mail(order=order, kind=OrderMail.Kind.REMINDER, cause="card", at=PLACED_AT)

    answer = do(staff, page_of(order, "send_again"), mail=str(unsent.pk))

    assert (answer.status_code, OrderMail.objects.count()) == (422, 1)


def test_a_note_is_kept_once_with_who_wrote_it(staff: Client, boss: User) -> None:
    order = PendingOrderFactory()
    key = staff.get(order_page(order)).context["note"]["key"].value()

    for _ in range(2):
        staff.post(order_page(order), {"key": key, "text": "Calls back <tomorrow>"})

    note = OrderNote.objects.get()
    assert (note.text, note.by_user_id) == ("Calls back <tomorrow>", boss.pk)
    assert "Calls back &lt;tomorrow&gt;" in staff.get(order_page(order)).text
    assert staff.post(order_page(order), {"key": key, "text": " "}).status_code == 422


def test_who_may_only_look_does_nothing_to_an_order(client: Client, sandbox: Any) -> None:
    client.force_login(a_clerk("view_.*"))
    order = paid_order(sandbox)
    before = OrderEvent.objects.count()

    for deed in ("hand_over", "delivered", "address", "send_again", "cancel", "put_back"):
        assert client.get(page_of(order, deed)).status_code == 403
        assert client.post(page_of(order, deed), {"confirmed": "1"}).status_code == 403
    assert client.post(order_page(order), {"text": "Hello"}).status_code == 403

    assert (OrderEvent.objects.count(), OrderNote.objects.count()) == (before, 0)
    page = client.get(order_page(order)).text
    assert [deed for deed in ("hand_over", "address") if page_of(order, deed) in page] == []


def test_who_hands_over_does_nothing_else(client: Client, sandbox: Any) -> None:
    client.force_login(a_clerk("view_order|fulfill_order"))
    order = paid_order(sandbox)

    page = client.get(order_page(order)).text

    assert page_of(order, "hand_over") in page
    for deed in ("address", "refund", "book_by_hand", "cancel"):
        assert page_of(order, deed) not in page
        assert client.get(page_of(order, deed)).status_code == 403
    # What an order cost is on it; what became of the money is not the warehouse's to see.
    assert 'id="money"' not in page


def test_orders_are_found_by_name_and_by_sku(staff: Client) -> None:
    variant = VariantFactory(sku="EM-1")
    anna = PendingOrderFactory(
        quantities={variant: 1}, address=ADDRESS | {"name": "Anna-Maria O'Neill"}
    )
    ada = PendingOrderFactory(email="ada@example.com", client_ip="192.0.2.9")

    for words in ("anna", "maria o", "neill anna", "em-1"):
        assert listed(staff, q=words) == [anna], words
    for words in ("Ada Reader", "ada@", "ADA@example.com"):
        assert listed(staff, q=words) == [ada], words
    assert listed(staff, q="nobody") == []
    assert set(listed(staff, q="'; --")) <= {anna, ada}


def test_of_many_orders_with_one_sku_the_newest_are_found(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_search, "_MOST", 2)
    variant = VariantFactory(sku="EM-1", on_hand=3)
    _oldest, *newest = (
        PendingOrderFactory(quantities={variant: 1}, at=PLACED_AT + timedelta(days=day))
        for day in range(3)
    )

    assert listed(staff, q="EM-1") == newest[::-1]


def test_orders_are_filtered_by_where_their_goods_are(staff: Client, sandbox: Any) -> None:
    due, sent, partly = (paid_order(sandbox, quantity=2) for _ in range(3))
    handed_over(sent, units=2)
    handed_over(partly)
    asked = {goods: set(listed(staff, goods=goods)) for goods in ("due", "partly", "on_the_way")}

    assert asked == {"due": {due, partly}, "partly": {partly}, "on_the_way": {sent, partly}}
    Fulfillment.objects.update(delivered_at=PLACED_AT)
    assert listed(staff, goods="delivered") == [sent]


def test_the_list_says_where_money_and_goods_are(staff: Client, sandbox: Any) -> None:
    waiting = PendingOrderFactory(user=UserFactory())
    paid = paid_order(sandbox)

    desk = staff.get(ORDERS).context["cl"].model_admin
    rows = {row.pk: row for row in listed(staff)}

    told = {pk: (desk.money_now(row), desk.goods(row)) for pk, row in rows.items()}
    assert told == {waiting.pk: ("unpaid", "none"), paid.pk: ("paid", "to hand over")}


def test_many_orders_are_handed_over_at_once_and_those_that_cannot_be_are_named(
    staff: Client, sandbox: Any
) -> None:
    first, second = paid_order(sandbox, quantity=2), paid_order(sandbox)
    waiting = PendingOrderFactory()
    chosen = [str(order.pk) for order in (first, second, waiting)]
    asked = {"action": "hand_over_selected", "_selected_action": chosen}

    page = staff.post(ORDERS, asked)
    assert (page.status_code, Fulfillment.objects.count()) == (200, 0)
    assert "<strong>stays</strong>, This order is awaiting payment." in page.text
    sent = asked | {"key": str(page.context["form"]["key"].value()), "confirmed": "1"}
    told = [staff.post(ORDERS, sent, follow=True).text for _ in range(2)]

    assert "2 of 3 orders are handed over." in told[0]
    assert f"{waiting.number}: This order is awaiting payment." in told[0]
    assert {row.order for row in Fulfillment.objects.all()} == {first, second}
    assert support.reread(first).status == support.reread(second).status == Status.FULFILLED
    assert not OrderMail.objects.filter(kind=OrderMail.Kind.SENT).exists()


def test_who_may_only_look_hands_over_nothing_in_bulk(client: Client, sandbox: Any) -> None:
    client.force_login(a_clerk("view_.*"))
    order = paid_order(sandbox)
    asked = {"action": "hand_over_selected", "_selected_action": [str(order.pk)]}

    client.post(ORDERS, asked | {"key": str(UUID(int=1)), "confirmed": "1"})

    assert Fulfillment.objects.count() == 0


def test_a_packing_slip_has_what_is_left_and_no_price(
    staff: Client, sandbox: Any, settings: Any
) -> None:
    settings.SHOP_ADDRESS = ["3 Book Row", "Dublin"]
    order = paid_order(sandbox, VariantFactory(price_minor=12_00, sku="EM-1"), quantity=3)
    handed_over(order)

    page = staff.get(page_of(order, "packing_slip")).text

    for words in (order.number, "Ada Reader", "1 Long Lane", "EM-1", "2 of 3", "3 Book Row"):
        assert words in page
    assert "12.00" not in page


def test_an_invoice_has_what_was_paid_and_given_back(
    staff: Client, sandbox: Any, settings: Any
) -> None:
    settings.SHOP_TAX_ID = "IE1234567T"
    order = paid_order(sandbox, VariantFactory(price_minor=30_00), quantity=2)
    refunded(order, 12_50)
    support.run_jobs()

    page = staff.get(page_of(order, "invoice")).text

    for words in (order.number, "IE1234567T", "€30.00", "€60.00", "€12.50", "Given back"):
        assert words in page


def test_many_slips_are_printed_in_so_many_queries(
    staff: Client, sandbox: Any, django_assert_num_queries: Any
) -> None:
    orders_ = [PendingOrderFactory(client_ip=f"192.0.2.{number}") for number in range(5)]
    asked = {"_selected_action": [str(order.pk) for order in orders_]}

    for action in ("print_packing_slips", "print_invoices"):
        with django_assert_num_queries(9):
            page = staff.post(ORDERS, asked | {"action": action})
        assert page.text.count('<article class="paper">') == 5


def test_what_stripe_has_no_money_of_is_not_offered_to_be_refunded(staff: Client) -> None:
    order = PendingOrderFactory()
    LedgerEntry.objects.create(
        order=order,
        kind=LedgerEntry.Kind.MANUAL,
        amount_minor=order.total_minor,
        currency=order.currency,
        form_key=UUID(int=1),
        booked_at=PLACED_AT,
    )
    Order.objects.update(status="paid")

    page = staff.get(order_page(order)).text

    assert page_of(order, "refund") not in page
    assert page_of(order, "book_by_hand") in page
