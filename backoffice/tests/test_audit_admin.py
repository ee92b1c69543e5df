"""The audit log in the admin: found, read, never edited; what is personal for some eyes alone."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accounts.tests.factories import UserFactory, a_clerk
from backoffice.audit import acting
from backoffice.models import AuditEntry
from backoffice.services import erase_personal
from orders.models import Order
from orders.tests.factories import PendingOrderFactory
from shop.models import Category, Product, Variant
from shop.tests.factories import CategoryFactory, ProductFactory, VariantFactory

pytestmark = pytest.mark.django_db

LIST = "admin:backoffice_auditentry_changelist"


def page_of(entry: AuditEntry) -> str:
    return reverse("admin:backoffice_auditentry_change", args=[entry.pk])


def cells(answer: Any) -> list[list[str]]:
    """Return the text of the rows of the page's table."""
    html = answer.content.decode()
    rows = re.findall(r'<tr class="data-row.*?</tr>', html, re.DOTALL)
    texts = (re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL) for row in rows)
    return [[unescape(re.sub(r"<.*?>", "", text)).strip() for text in row] for row in texts]


def listed(client: Client, **asked: str) -> list[str]:
    """Return the names of the rows whose changes a list shows, newest first."""
    found = client.get(reverse(LIST), asked).context["cl"].result_list
    return [entry.row_name or entry.model for entry in found]


@pytest.fixture
def renamed(boss: User) -> AuditEntry:
    """A product with a new title and another page of facts."""
    product: Product = ProductFactory(title="Ema", attributes={"Pages": "10"})
    with acting(user_id=boss.pk, how="admin:shop_product_change", address="192.0.2.7"):
        Product.objects.filter(pk=product.pk).update(title="Emma", attributes={"Pages": "474"})
    return AuditEntry.objects.get()


@pytest.fixture
def reader_changed(boss: User) -> AuditEntry:
    reader = UserFactory(name="Ada")
    with acting(user_id=boss.pk, how="a test", address="192.0.2.7"):
        User.objects.filter(pk=reader.pk).update(name="Ada Reader", password="!", is_active=False)
    return AuditEntry.objects.get()


def test_an_entry_tells_who_what_when_from_where_and_both_sides(
    staff: Client, boss: User, renamed: AuditEntry
) -> None:
    answer = staff.get(page_of(renamed))

    text = answer.content.decode()
    product = reverse("admin:shop_product_change", args=[renamed.row_id])
    assert f'href="{product}">product Emma</a>' in text
    assert boss.email in text
    assert "192.0.2.7" in text
    assert "admin:shop_product_change" in text
    assert cells(answer) == [
        ["attributes", '{\n  "Pages": "10"\n}', '{\n  "Pages": "474"\n}'],
        ["title", "Ema", "Emma"],
    ]


def test_values_are_told_in_words(staff: Client, boss: User) -> None:
    shelf: Category = CategoryFactory(name="Verse", slug="verse")
    with acting(user_id=boss.pk, how="a test"):
        Category.objects.filter(pk=shelf.pk).update(name="<b>", parent=CategoryFactory())
        ProductFactory(title="Emma", slug="emma", category=shelf, is_published=False)
        Category.objects.filter(pk=shelf.pk).update(parent=None)

    last, added, first, _parent = AuditEntry.objects.all()

    parent = str(first.after["parent_id"])
    assert cells(staff.get(page_of(first))) == [
        ["name", "Verse", "<b>"],
        ["parent id", "(empty)", parent],
    ]
    assert cells(staff.get(page_of(last))) == [["parent id", parent, "(empty)"]]
    rows = cells(staff.get(page_of(added)))
    assert ["is published", "", "no"] in rows
    assert ["description", "", "(empty)"] in rows


def test_what_is_personal_is_for_those_who_may_see_it(
    client: Client, boss: User, reader_changed: AuditEntry
) -> None:
    shown = {}
    for rights in ("view_auditentry", "view_auditentry|view_auditpersonal"):
        client.force_login(a_clerk(rights))
        shown[rights] = client.get(page_of(reader_changed))

    without, with_it = shown.values()
    secret = ["password", "secret: never kept", "secret: never kept"]
    assert cells(without) == [
        ["is active", "yes", "no"],
        ["name", "personal: not shown to you", "personal: not shown to you"],
        secret,
    ]
    assert cells(with_it) == [["is active", "yes", "no"], ["name", "Ada", "Ada Reader"], secret]
    assert "192.0.2.7" not in without.content.decode()
    assert "192.0.2.7" in with_it.content.decode()


def test_what_was_erased_is_told_as_such(staff: Client, reader_changed: AuditEntry) -> None:
    erase_personal(user_id=int(reader_changed.row_id), order_ids=[])

    answer = staff.get(page_of(reader_changed))

    assert ["name", "personal: erased", "personal: erased"] in cells(answer)


def test_the_log_is_neither_added_to_nor_changed_nor_deleted(
    staff: Client, renamed: AuditEntry
) -> None:
    before = AuditEntry.objects.values().get()

    answers = [
        staff.get(reverse("admin:backoffice_auditentry_add")),
        staff.post(page_of(renamed), {"how": "nobody"}),
        staff.post(reverse("admin:backoffice_auditentry_delete", args=[renamed.pk])),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert AuditEntry.objects.values().get() == before


def test_who_may_not_view_the_log_sees_nothing_of_it(client: Client, renamed: AuditEntry) -> None:
    client.force_login(a_clerk("view_product"))
    history = reverse("admin:shop_product_history", args=[renamed.row_id])

    answers = [client.get(page) for page in (reverse(LIST), page_of(renamed))]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert "Changes by staff" not in client.get(history).content.decode()
    assert "Changes by staff" not in client.get("/admin/").content.decode()


def test_it_is_found_by_colleague_row_request_kind_and_action(staff: Client, boss: User) -> None:
    clerk = UserFactory(is_staff=True, email="clerk@example.com")
    with acting(user_id=boss.pk, how="a test"):
        emma: Variant = VariantFactory(sku="EMMA-H", on_hand=0)
    with acting(user_id=clerk.pk, how="a test"):
        Variant.objects.filter(pk=emma.pk).update(sku="EMMA-P")
    page = reverse("admin:shop_category_delete", args=[CategoryFactory(name="Verse").pk])
    answer = staff.post(page, {"post": "yes"})

    assert listed(staff, q="Clerk@example.com") == ["EMMA-P"]
    assert listed(staff, q="nobody@example.com") == []
    assert listed(staff, q="EMMA-H") == ["EMMA-H"]
    assert listed(staff, q=answer["X-Request-ID"]) == ["Verse"]
    assert listed(staff, kind="shop.variant") == ["EMMA-P", "EMMA-H"]
    assert listed(staff, action__exact="delete") == ["Verse"]
    assert listed(staff, row=f"shop.product:{emma.product.pk}")[:2] == ["EMMA-P", "EMMA-H"]
    assert listed(staff, row=f"shop.variant:{emma.pk}") == ["EMMA-P", "EMMA-H"]
    assert listed(staff, row="no.model:1") == listed(staff, row="nonsense:1") == []


def test_the_history_of_a_row_shows_its_changes_and_those_of_its_parts(
    staff: Client, boss: User
) -> None:
    packers, clerk = Group.objects.create(name="Packers"), UserFactory()
    order: Order = PendingOrderFactory()
    other: Order = PendingOrderFactory(client_ip="192.0.2.2")
    with acting(user_id=boss.pk, how="a test"):
        Order.objects.filter(pk__in=[order.pk, other.pk]).update(cancel_note="Ms Reader is away")
        order.reviews.create(reason="second", cause="ch_1", opened_at=order.placed_at)
        clerk.groups.add(packers)

    of_order, of_clerk = (
        cells(staff.get(reverse(f"admin:{name}_history", args=[row.pk])))
        for name, row in (("orders_order", order), ("accounts_user", clerk))
    )

    assert [row[1:4] for row in of_order] == [
        [boss.email, f"review {order.reviews.get().pk}", "added"],
        [boss.email, f"order {order.number}", "changed"],
    ]
    assert of_order[1][4] == "cancel note"
    assert [row[3:] for row in of_clerk] == [["added", "group id, user id"]]


def test_the_list_costs_the_same_however_long_and_counts_nothing(
    staff: Client, boss: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with acting(user_id=boss.pk, how="a test"):
        for _ in range(101):
            UserFactory()

    with django_assert_num_queries(3), CaptureQueriesContext(connection) as queries:
        answer = staff.get(reverse(LIST))

    assert len(answer.context["cl"].result_list) == 100
    assert not [query for query in queries if "COUNT(" in query["sql"].upper()]
    assert len(staff.get(reverse(LIST), {"p": "2"}).context["cl"].result_list) == 1


def test_an_entrys_page_costs_few_queries(
    staff: Client, reader_changed: AuditEntry, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(5):
        staff.get(page_of(reader_changed))


def test_the_history_costs_the_same_however_much_happened(
    staff: Client, boss: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    category: Category = CategoryFactory()
    with acting(user_id=boss.pk, how="a test"):
        for position in range(1, 61):
            Category.objects.filter(pk=category.pk).update(position=position)
    page = reverse("admin:shop_category_history", args=[category.pk])

    # Asked for once in a process's life, whichever test comes first.
    ContentType.objects.get_for_model(Category)

    # Session, user, row, the entries, and how many notes the admin has of its own.
    with django_assert_num_queries(5):
        answer = staff.get(page)

    assert len(cells(answer)) == 50


def test_an_entry_of_a_model_that_is_gone_is_still_told(staff: Client, boss: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO backoffice_auditentry (at, by_user_id, how, request_id, action, model,"
            " row_id, row_name, part_of, part_of_id, before, after, personal, secret)"
            " VALUES (now(), 987, '', '', 'update', 'shop.voucher', '5', '', 'shop.offer', '6',"
            " '{}', '{}', '{}', '{}')"
        )

    text = staff.get(page_of(AuditEntry.objects.get())).content.decode()

    assert "shop.voucher 5" in text
    assert "shop.offer 6" in text
    assert "user 987" in text
