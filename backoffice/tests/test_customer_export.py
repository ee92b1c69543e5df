"""Customers as a file: a line for each address, for those who may have it."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.erased import address_of
from accounts.models import User
from accounts.tests.factories import UserFactory, a_clerk, one_of
from orders.models import Order
from orders.tests.factories import ADDRESS, PLACED_AT, PendingOrderFactory
from payments.models import LedgerEntry
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db

SEARCH, EXPORT = reverse("customers"), reverse("export_customers")
LATER = PLACED_AT + timedelta(days=1)


def exported(staff: Client, words: str = "") -> list[list[str]]:
    answer: Any = staff.get(EXPORT, {"q": words} if words else {})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(StringIO(answer.getvalue().decode("utf-8-sig"))))


def addresses(staff: Client, words: str = "") -> list[str]:
    return [row[0] for row in exported(staff, words)[1:]]


def book(order: Order, kind: str, amount_minor: int, currency: str = "EUR") -> None:
    LedgerEntry.objects.create(
        order=order,
        kind=kind,
        amount_minor=amount_minor,
        currency=currency,
        stripe_id=uuid4().hex,
        booked_at=PLACED_AT,
    )


def test_a_line_has_what_an_address_ordered_and_is_worth(staff: Client) -> None:
    ada = UserFactory(email="ada@example.com", name="Ada L.")
    first = PendingOrderFactory(user=ada, email="ada@example.com")
    second = PendingOrderFactory(email="ADA@example.com", at=LATER)
    PendingOrderFactory(email="guest@example.com", address=ADDRESS | {"country": "AT"}, at=LATER)
    UserFactory(email="never@example.com")
    book(first, "capture", 12_00)
    book(first, "fee", -50)
    book(second, "capture", 20_00)
    book(second, "refund", -5_00)
    book(second, "dispute", -1_00)
    book(second, "capture", 7_00, currency="USD")

    heads, *rows = exported(staff)

    assert heads == [
        "e-mail",
        "name",
        "account",
        "country",
        "orders",
        "first order (UTC)",
        "last order (UTC)",
        "currency",
        "worth",
    ]
    monday, tuesday = "2026-01-05T11:00:00Z", "2026-01-06T11:00:00Z"
    assert rows == [
        ["ada@example.com", "Ada L.", "yes", "DE", "2", monday, tuesday, "EUR", "26.00"],
        ["guest@example.com", "Ada Reader", "no", "AT", "1", tuesday, tuesday, "EUR", "0.00"],
    ]


def test_the_search_is_followed_by_the_button_and_the_file(staff: Client) -> None:
    order = PendingOrderFactory(email="ada@example.com")
    PendingOrderFactory(email="ada@example.com", address=ADDRESS | {"name": "Somebody Else"})
    PendingOrderFactory(email="bob@example.com", address=ADDRESS | {"name": "Bob Smith"})

    assert f'href="{EXPORT}"' in staff.get(SEARCH).text
    assert f'href="{EXPORT}?q=ada%40"' in staff.get(SEARCH, {"q": "ada@"}).text
    assert EXPORT not in staff.get(SEARCH, {"q": "nobody"}).text
    assert addresses(staff) == ["ada@example.com", "bob@example.com"]
    assert addresses(staff, "ada@") == ["ada@example.com"]
    assert addresses(staff, "smith") == ["bob@example.com"]
    assert addresses(staff, order.number) == ["ada@example.com"]
    assert addresses(staff, "nobody") == []


def test_who_was_erased_is_no_customer_any_more(staff: Client) -> None:
    order = PendingOrderFactory()
    Order.objects.filter(pk=order.pk).update(
        email=address_of(uuid4()), shipping_address={"country": "DE"}
    )

    assert addresses(staff) == []


def test_the_file_costs_the_same_however_many_there_are(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = VariantFactory(on_hand=1_000)

    def cost(count: int) -> tuple[int, int]:
        for number in range(count):
            PendingOrderFactory(quantities={variant: 1}, email=f"r{count}-{number}@example.com")
        with CaptureQueriesContext(connection) as queries:
            found = len(addresses(staff))
        return found, len(queries)

    few, many = cost(3), cost(40)
    monkeypatch.setattr("shop.csv_files.ROWS_AT_ONCE", 20)
    in_portions = cost(0)

    assert (few[0], many, in_portions) == (3, (43, few[1]), (43, few[1] + 2))


def test_that_it_was_exported_is_kept_with_who_did(
    staff: Client, boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.exports.now", lambda: PLACED_AT)

    exported(staff, "ada@")

    (entry,) = LogEntry.objects.all()
    assert entry.user_id == boss.pk
    assert entry.change_message == "Exported customers-2026-01-05-1100.csv (by search)"


@pytest.mark.parametrize("role", ["Support", "Warehouse", "Accountant"])
def test_only_a_manager_has_all_customers(role: str, client: Client) -> None:
    client.force_login(one_of(role))
    refused, page = client.get(EXPORT), client.get(SEARCH)
    client.force_login(one_of("Manager"))

    assert (refused.status_code, client.get(EXPORT).status_code) == (403, 200)
    assert EXPORT not in page.text
    assert EXPORT in client.get(SEARCH).text


def test_whoever_may_export_one_person_may_not_export_all(client: Client) -> None:
    client.force_login(a_clerk("view_.*|export_user"))

    assert client.get(EXPORT).status_code == 403
    assert EXPORT not in client.get(SEARCH).text


def test_it_is_asked_for_by_get_alone(staff: Client) -> None:
    assert staff.post(EXPORT).status_code == 405
