"""Customers in the admin: accounts and guests alike, found, shown, noted, exported, erased."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import UserFactory, a_clerk
from backoffice.admin.customers import address_of
from backoffice.models import CustomerNote, Erasure
from backoffice.services import write_note
from backoffice.tests.person import ADDRESS, EMAIL, IP, Person, rich_history
from orders.models import Order
from orders.tests.factories import PendingOrderFactory
from payments.tests import money_back, support
from payments.tests.deeds import confirmed, filled_in
from payments.tests.snapshots import everything
from shop.clock import now
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

GUEST = "reader@example.com"


def erase_page(email: str) -> str:
    return address_of(email).replace("/one/", "/one/erase/")


def export_page(email: str) -> str:
    return address_of(email).replace("/one/", "/one/export/")


def signed_in(client: Client, role: str) -> Client:
    """Return a client in which somebody of this role is signed in."""
    clerk = UserFactory(email=f"{role.lower()}@example.com", is_staff=True)
    clerk.groups.add(Group.objects.get(name=role))
    client.force_login(clerk)
    return client


def found(staff: Client, words: str) -> list[str]:
    page = staff.get(reverse("customers"), {"q": words})
    return [customer.email for customer, _address in page.context["found"]]


def canceled(**buyer: Any) -> Order:
    order = PendingOrderFactory(**buyer)
    Order.objects.filter(pk=order.pk).update(status="canceled")
    return support.reread(order)


def test_customers_are_found_by_address_its_beginning_name_and_number(staff: Client) -> None:
    ada, bob = UserFactory(email="ada@example.com"), UserFactory(email="bob@example.com")
    order = PendingOrderFactory(user=ada, email="Ada@example.com")
    PendingOrderFactory(email="adam@example.com", address=ADDRESS | {"name": "Adam Smith"})

    assert found(staff, "ada") == ["adam@example.com", "ada@example.com"]
    assert found(staff, "ada@") == ["ada@example.com"]
    assert found(staff, "smith") == ["adam@example.com"]
    assert found(staff, order.number) == ["ada@example.com"]
    assert found(staff, " BOB@example.com") == [bob.email], "who never ordered"
    assert found(staff, "nobody") == []
    assert found(staff, "") == []


def test_the_search_costs_the_same_however_many_are_found(staff: Client) -> None:
    costs = []
    for count in (1, 30):
        for number in range(count):
            PendingOrderFactory(email=f"reader{count}-{number}@example.com")
        with CaptureQueriesContext(connection) as queries:
            shown = found(staff, "reader")
        costs.append(len(queries))

    assert len(shown) == 20
    assert costs[0] == costs[1]


def test_a_page_shows_orders_value_and_notes_of_account_and_guest_alike(
    staff: Client, sandbox: Any, boss: User
) -> None:
    user = UserFactory(email=GUEST, name="Ada")
    variant = VariantFactory(price_minor=60_00, on_hand=9)
    paid = money_back.paid_order(sandbox, variant)
    money_back.refunded(paid, 25_00)
    own = PendingOrderFactory(user=user, email="work@example.com")
    PendingOrderFactory(email="other@example.com")
    write_note(email=GUEST, text="Likes Emma", by=boss.pk, key=uuid4(), at=now())

    page = staff.get(address_of("Reader@example.com"))

    shown = page.context
    assert {order.number for order in shown["orders"]} == {paid.number, own.number}
    assert shown["span"]["count"] == 2
    assert [(value.currency, value.amount_minor) for value in shown["values"]] == [("EUR", 35_00)]
    text = page.content.decode()
    assert "Likes Emma" in text
    assert f"by {boss.email}" in text
    assert "work@example.com" in text
    assert reverse("admin:accounts_user_change", args=[user.pk]) in text


def test_a_page_shows_the_newest_orders_at_a_fixed_cost(staff: Client) -> None:
    user = UserFactory(email=GUEST)
    costs = []
    for count in (1, 25):
        for _ in range(count):
            PendingOrderFactory(email=GUEST)
            PendingOrderFactory(user=user, email=GUEST)
            write_note(email=GUEST, text="Kind", by=1, key=uuid4(), at=now())
        with CaptureQueriesContext(connection) as queries:
            page = staff.get(address_of(GUEST))
        costs.append(len(queries))

    assert (len(page.context["orders"]), page.context["span"]["count"]) == (20, 52)
    assert costs == [costs[0], costs[0]]
    assert costs[0] <= 14
    assert f"{reverse('admin:orders_order_changelist')}?q=reader%40" in page.content.decode()


@pytest.mark.parametrize("email", ["", "nobody", "a@b c"])
def test_what_is_no_address_is_not_found(staff: Client, email: str) -> None:
    assert staff.get(address_of(email)).status_code == 404


def test_a_note_is_kept_once_in_lower_case(staff: Client, boss: User) -> None:
    page = address_of("Reader@Example.com")
    form = {"key": str(uuid4()), "text": "Rang: prefers mail"}

    answers = [staff.post(page, form) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    note = CustomerNote.objects.get()
    assert (note.email, note.text, note.by_user_id) == (GUEST, "Rang: prefers mail", boss.pk)
    assert staff.post(page, form | {"text": ""}).status_code == 422
    assert CustomerNote.objects.count() == 1


def test_support_looks_and_notes_and_neither_exports_nor_erases(client: Client) -> None:
    support_staff = signed_in(client, "Support")
    canceled(email=GUEST)

    page = support_staff.get(address_of(GUEST))
    note = support_staff.post(address_of(GUEST), {"key": str(uuid4()), "text": "Kind"})
    refused = [
        support_staff.post(export_page(GUEST)),
        support_staff.get(erase_page(GUEST)),
        support_staff.post(erase_page(GUEST), {"confirmed": "1", "why": "request"}),
    ]

    assert (page.status_code, note.status_code) == (200, 302)
    assert "Export" not in page.content.decode()
    assert erase_page(GUEST) not in page.content.decode()
    assert [answer.status_code for answer in refused] == [403, 403, 403]
    assert not Erasure.objects.exists()


@pytest.mark.parametrize("role", ["Warehouse", "Accountant"])
def test_others_are_shown_no_customers(client: Client, role: str) -> None:
    clerk = signed_in(client, role)

    assert clerk.get(reverse("customers")).status_code == 403
    assert clerk.get(address_of(GUEST)).status_code == 403
    assert reverse("customers") not in clerk.get(reverse("admin:index")).content.decode()


def test_who_may_not_note_is_refused(client: Client) -> None:
    client.force_login(a_clerk("view_user|view_order"))

    answer = client.post(address_of(GUEST), {"key": str(uuid4()), "text": "Kind"})

    assert answer.status_code == 403
    assert not CustomerNote.objects.exists()


@pytest.fixture
def person(sandbox: Any, boss: User, settings: Any) -> Person:
    settings.REFUND_LIMIT_MINOR = 100_00
    return rich_history(sandbox, boss)


def test_an_export_has_all_of_a_person_and_no_secrets_and_nobody_else(
    person: Person, staff: Client, boss: User
) -> None:
    canceled(user=UserFactory(email="other@example.com"), email=EMAIL, address=ADDRESS)
    PendingOrderFactory(email=GUEST)
    attempt = person.orders["sent"].attempts.get()

    answer = staff.post(export_page(EMAIL))

    assert answer["Content-Disposition"].startswith('attachment; filename="personal-data-')
    text = answer.content.decode()
    known = json.loads(text)
    orders = {order["number"]: order for order in known["orders"]}
    assert set(orders) == {order.number for order in person.orders.values()}
    sent = orders[person.orders["sent"].number]
    assert (sent["shipping_address"], sent["client_ip"]) == (ADDRESS, IP)
    assert [line["quantity"] for line in sent["lines"]] == [2]
    assert [row["kind"] for row in sent["money"]] == ["capture", "refund"]
    assert [row["note"] for row in sent["refunds"]] == ["A notemarker"]
    assert "confirmation" in [row["kind"] for row in sent["mails"]]
    assert known["account"]["name"] == ADDRESS["name"]
    assert known["account"]["cart"][0]["quantity"] == 1
    assert [note["text"] for note in known["notes"]] == ["A notemarker"]
    others = (boss.email, GUEST, "other@example.com")
    secrets = (person.user.password, attempt.url, attempt.params["success_url"], "client_secret")
    assert [word for word in (*others, *secrets) if word and word in text] == []


def test_an_export_is_asked_for_by_post_costs_the_same_and_leaves_a_trace(
    staff: Client, boss: User
) -> None:
    assert staff.get(export_page(GUEST)).status_code == 405
    PendingOrderFactory(email=GUEST)
    # Types of content are read once.
    staff.post(export_page(GUEST))
    costs = []
    for count in (1, 10):
        for _ in range(count):
            newest = PendingOrderFactory(email=GUEST)
        with CaptureQueriesContext(connection) as queries:
            assert len(staff.post(export_page(GUEST)).json()["orders"]) in {2, 12}
        costs.append(len(queries))

    assert costs[0] == costs[1]
    entry = LogEntry.objects.all()[0]
    assert (entry.user, entry.object_id) == (boss, str(newest.pk))
    assert entry.change_message == "Personal data exported"


def test_erasing_says_what_it_does_and_does_it_when_that_is_confirmed(
    person: Person, staff: Client, boss: User
) -> None:
    page = erase_page(EMAIL)
    before = everything()
    form = filled_in(staff, page, why="request")
    sent = confirmed(staff, page, form)
    assert everything() == before
    words = " ".join(sent["shown"])
    assert f"The account {EMAIL} is closed and emptied" in words
    assert "Of orders by this person (4)" in words
    assert "Notes on this customer (1) are deleted." in words
    assert "At Stripe nothing is erased" in words

    answer = staff.post(page, sent)
    again = staff.post(page, sent)

    erasure = Erasure.objects.get()
    assert (erasure.user_id, erasure.by_user_id, erasure.why) == (
        person.user.pk,
        boss.pk,
        "request",
    )
    assert answer["Location"] == address_of(erasure.erased_as)
    assert again["Location"] == reverse("customers")
    shown = staff.get(answer["Location"])
    assert len(shown.context["orders"]) == 4
    assert (shown.context["may_erase"], shown.context["note"]) == (False, None)
    register = staff.get(reverse("admin:backoffice_erasure_changelist")).content.decode()
    assert "the person asked for it" in register


def test_who_still_waits_for_something_is_not_erased(staff: Client) -> None:
    order = PendingOrderFactory(email=GUEST)
    page = erase_page(GUEST)

    answer = staff.post(page, filled_in(staff, page, why="request"))

    assert answer.status_code == 422
    assert f"Order {order.number} waits for its payment" in answer.content.decode()
    assert not Erasure.objects.exists()


def test_a_reason_is_asked_for(staff: Client) -> None:
    canceled(email=GUEST)
    page = erase_page(GUEST)

    answer = staff.post(page, filled_in(staff, page))

    assert answer.status_code == 422
    assert not Erasure.objects.exists()


def test_orders_by_other_accounts_are_told_of_before_they_are_erased(staff: Client) -> None:
    canceled(email=GUEST, user=UserFactory())
    page = erase_page(GUEST)

    sent = confirmed(staff, page, filled_in(staff, page, why="test"))

    words = "Among them are orders that other accounts placed with this address (1)."
    assert words in sent["shown"]
