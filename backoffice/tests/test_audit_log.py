"""Whatever way staff write, the log has it: what, before and after, who, when and from where."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.tokens import caller_as
from backoffice.audit import acting
from backoffice.models import AuditAddress, AuditEntry, AuditPersonal
from backoffice.tests.entries import logged, models_logged
from orders.tests.factories import PendingOrderFactory
from payments.models import InboxEvent
from payments.tests import support
from payments.tests.deeds import do
from shop import services as stock
from shop.clock import now
from shop.models import Category, Variant
from shop.tests.factories import CategoryFactory, ProductFactory, VariantFactory

pytestmark = pytest.mark.django_db


def product_form(variant: Variant, **changes: Any) -> dict[str, Any]:
    """Return what the product's page sends, with its one variant as an inline row."""
    product = variant.product
    form: dict[str, Any] = {
        "title": product.title,
        "slug": product.slug,
        "category": product.category_id,
        "is_published": "on",
        "description": product.description,
        "attributes": json.dumps(product.attributes),
        "variants-TOTAL_FORMS": 1,
        "variants-INITIAL_FORMS": 1,
        "variants-0-id": variant.pk,
        "variants-0-sku": variant.sku,
        "variants-0-title": variant.title,
        "variants-0-price": "12.00",
        "variants-0-position": 0,
        "variants-0-is_active": "on",
        "images-TOTAL_FORMS": 0,
        "images-INITIAL_FORMS": 0,
    }
    return form | changes


def test_a_page_of_the_admin_and_its_inline_rows(staff: Client, boss: User) -> None:
    variant: Variant = VariantFactory(sku="EMMA-H", price_minor=12_00)
    product = variant.product
    page = reverse("admin:shop_product_change", args=[product.pk])
    sent = product_form(variant, title="Emma", **{"variants-0-price": "9.50"})
    headers = {"X-Request-ID": "deploy-2026-11-22"}
    before = timezone.now()

    answer = staff.post(page, sent, headers=headers, REMOTE_ADDR="192.0.2.7")

    assert answer.status_code == 302
    assert logged() == [
        ("update", "Emma", {"title": product.title}, {"title": "Emma"}),
        ("update", "EMMA-H", {"price_minor": 12_00}, {"price_minor": 9_50}),
    ]
    entry, of_variant = AuditEntry.objects.select_related("origin").order_by("pk")
    assert (entry.model, entry.row_id, entry.part_of) == ("shop.product", str(product.pk), "")
    assert (entry.by_user_id, entry.how) == (boss.pk, "admin:shop_product_change")
    assert (entry.request_id, entry.origin.address) == ("deploy-2026-11-22", "192.0.2.7")
    assert before < entry.at < before + timedelta(minutes=1)
    assert (of_variant.model, of_variant.part_of) == ("shop.variant", "shop.product")
    assert of_variant.part_of_id == str(product.pk)


def test_a_page_that_is_saved_unchanged_leaves_nothing(staff: Client) -> None:
    variant: Variant = VariantFactory(price_minor=12_00)
    page = reverse("admin:shop_product_change", args=[variant.product.pk])

    answer = staff.post(page, product_form(variant))

    assert answer.status_code == 302
    assert logged() == []


def test_of_a_row_that_is_added_or_deleted_what_was_set(staff: Client) -> None:
    fields = {"name": "Poetry", "slug": "poetry", "position": 3}

    staff.post(reverse("admin:shop_category_add"), fields)
    category = Category.objects.get()
    staff.post(reverse("admin:shop_category_delete", args=[category.pk]), {"post": "yes"})

    assert logged() == [("insert", "Poetry", {}, fields), ("delete", "Poetry", fields, {})]
    assert set(AuditEntry.objects.values_list("row_id", flat=True)) == {str(category.pk)}


def test_a_column_that_is_emptied_is_told_with_both_values(boss: User) -> None:
    shelf = CategoryFactory()
    category = CategoryFactory(parent=shelf)

    with acting(user_id=boss.pk, how="a test"):
        Category.objects.filter(pk=category.pk).update(parent=None)

    assert logged() == [("update", category.name, {"parent_id": shelf.pk}, {"parent_id": None})]


def test_an_update_that_no_signal_tells_of(staff: Client, boss: User) -> None:
    variant: Variant = VariantFactory(on_hand=2)
    dialog = reverse("admin:shop_variant_receive", args=[variant.pk])
    sent = {"_form_submitted": "True", "quantity": "5", "reference": "DHL 7"}

    staff.post(dialog, sent | {"form_key": str(uuid4())})

    variant.refresh_from_db()
    assert variant.on_hand == 7
    assert logged() == [("update", variant.sku, {"on_hand": 2}, {"on_hand": 7})]
    assert AuditEntry.objects.get().by_user_id == boss.pk


def test_many_rows_in_one_statement_and_sql_by_hand(boss: User) -> None:
    products = [ProductFactory(title=title) for title in ("Emma", "Walden")]

    with acting(user_id=boss.pk, how="a test"), connection.cursor() as cursor:
        cursor.execute(" update shop_product set is_published = false")

    assert sorted(logged()) == [
        ("update", product.title, {"is_published": True}, {"is_published": False})
        for product in products
    ]


def test_a_call_of_the_api_by_its_bearer(boss: User) -> None:
    variant: Variant = VariantFactory(sku="EMMA-H", price_minor=12_00)
    path = f"admin/variants/{variant.sku}/"
    stranger = caller_as(UserFactory())

    refused = stranger.patch(path, {"price": 1})
    changed = caller_as(boss).patch(path, {"price": 999})

    assert (refused.status_code, changed.status_code) == (403, 200)
    assert logged() == [("update", "EMMA-H", {"price_minor": 12_00}, {"price_minor": 999})]
    entry = AuditEntry.objects.get()
    assert (entry.by_user_id, entry.how) == (boss.pk, "api:variant")
    assert entry.request_id == changed["X-Request-ID"]


def test_who_bears_a_token_counts_and_not_whose_cookie_comes_along(boss: User) -> None:
    VariantFactory(sku="EMMA-H")
    caller = caller_as(boss)
    other = Client()
    other.force_login(User.objects.create_superuser("other@example.com"))

    answer = other.patch(
        "/api/admin/variants/EMMA-H/",
        {"price": 999},
        content_type="application/json",
        headers=caller.headers,
    )

    assert answer.status_code == 200
    assert AuditEntry.objects.get().by_user_id == boss.pk


def test_a_command_or_a_job_in_a_persons_name(boss: User) -> None:
    variant: Variant = VariantFactory(on_hand=2)

    with acting(user_id=boss.pk, how="command count_stock", address="192.0.2.9"):
        stock.adjust(variant_id=variant.pk, difference=-1, reason="lost", at=now())
    stock.adjust(variant_id=variant.pk, difference=-1, reason="lost", at=now())

    assert logged() == [("update", variant.sku, {"on_hand": 2}, {"on_hand": 1})]
    entry = AuditEntry.objects.get()
    assert (entry.by_user_id, entry.how, entry.request_id) == (boss.pk, "command count_stock", "")
    assert entry.origin.address == "192.0.2.9"


def test_rights_that_are_given_and_taken(staff: Client, boss: User) -> None:
    packers = Group.objects.create(name="Packers")
    clerk = UserFactory()
    right = Permission.objects.get(codename="view_order")

    with acting(user_id=boss.pk, how="a test"):
        clerk.groups.add(packers)
        clerk.groups.clear()
        packers.permissions.set([right])

    member = {"user_id": clerk.pk, "group_id": packers.pk}
    assert logged("accounts.user_groups") == [
        ("insert", "", {}, member),
        ("delete", "", member, {}),
    ]
    allowed = {"group_id": packers.pk, "permission_id": right.pk}
    assert logged("auth.group_permissions") == [("insert", "", {}, allowed)]
    wholes = AuditEntry.objects.order_by("pk").values_list("part_of", "part_of_id")
    assert list(wholes) == [("accounts.user", str(clerk.pk))] * 2 + [
        ("auth.group", str(packers.pk))
    ]


def test_an_order_that_staff_cancel(staff: Client, boss: User) -> None:
    order = PendingOrderFactory()
    page = reverse("admin:orders_order_cancel", args=[order.pk])

    do(staff, page, note="Ms Reader asked for it")

    moved, noted = AuditEntry.objects.filter(model="orders.order").order_by("pk")
    assert (noted.row_name, noted.personal) == (order.number, ["cancel_note"])
    assert noted.personal_values.after == {"cancel_note": "Ms Reader asked for it"}
    assert (moved.before, moved.after) == ({"status": "pending"}, {"status": "canceled"})
    assert models_logged() == {"orders.order", "orders.ordermail", "shop.variant"}


def test_what_is_personal_stands_apart_and_what_is_secret_nowhere(
    staff: Client, boss: User
) -> None:
    page = reverse("admin:accounts_user_add")
    sent = {"email": "new@example.com", "usable_password": "true"}

    staff.post(page, sent | {"password1": PASSWORD, "password2": PASSWORD})
    user = User.objects.get(email="new@example.com")
    with acting(user_id=boss.pk, how="a test"):
        user.name = "Ada"
        user.set_password("another long walk")
        user.last_login = timezone.now()
        user.save()

    added, changed = AuditEntry.objects.filter(model="accounts.user").order_by("pk")
    assert (added.row_name, added.personal, added.secret) == ("", ["email", "name"], ["password"])
    assert added.personal_values.before == {}
    assert added.personal_values.after == {"email": "new@example.com", "name": ""}
    assert "email" not in added.after
    assert (changed.before, changed.after) == ({}, {})
    assert (changed.personal, changed.secret) == (["name"], ["password"])
    assert changed.personal_values.before == {"name": ""}
    assert changed.personal_values.after == {"name": "Ada"}
    with connection.cursor() as cursor:
        for table in (AuditEntry, AuditPersonal, AuditAddress):
            cursor.execute(
                f"SELECT count(*) FROM {table._meta.db_table} t WHERE t::text LIKE '%%pbkdf2%%'"
            )
            assert cursor.fetchone() == (0,)


def test_a_change_of_what_is_ignored_alone_leaves_nothing(boss: User) -> None:
    user = UserFactory()

    with acting(user_id=boss.pk, how="a test"):
        User.objects.filter(pk=user.pk).update(last_login=timezone.now())

    assert logged() == []


def test_shoppers_and_stripe_leave_nothing(client: Client) -> None:
    variant: Variant = VariantFactory()
    client.force_login(UserFactory())
    support.endpoint_row()

    bought = client.post(reverse("cart:add"), {"variant": variant.pk, "quantity": 1})
    signed_up = Client().post(
        reverse("account_signup"), {"email": "new@example.com", "password1": PASSWORD}
    )
    heard = support.deliver(
        {
            "id": "evt_1",
            "object": "event",
            "type": "customer.created",
            "api_version": settings.STRIPE_API_VERSION,
            "livemode": False,
            "created": 1_700_000_000,
            "data": {"object": {"id": "cus_1", "object": "customer"}},
        }
    )

    assert (bought.status_code, signed_up.status_code, heard) == (302, 302, 200)
    assert User.objects.filter(email="new@example.com").exists()
    assert InboxEvent.objects.exists()
    assert logged() == []


def test_one_of_the_staff_on_the_shops_own_pages_is_logged_too(client: Client) -> None:
    clerk = UserFactory(is_staff=True, password=PASSWORD)
    client.force_login(clerk)
    new = "another long walk by the sea"
    sent = {"oldpassword": PASSWORD, "password1": new, "password2": new}

    answer = client.post(reverse("account_change_password"), sent)

    assert answer.status_code == 302
    entry = AuditEntry.objects.get()
    assert (entry.model, entry.row_id) == ("accounts.user", str(clerk.pk))
    assert (entry.by_user_id, entry.how) == (clerk.pk, "account_change_password")
    assert (entry.before, entry.after, entry.secret) == ({}, {}, ["password"])
