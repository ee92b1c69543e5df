"""The four roles: what each may do, and what it is refused."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import UserFactory, one_of
from backoffice.models import ImportRun
from backoffice.roles import ROLES, bring_up_to_date, permissions
from orders.models import Order, Review
from orders.tests.factories import PLACED_AT, PendingOrderFactory
from payments.models import InboxEvent, RefundRequest
from payments.services import inbox
from shop.models import Product, Variant

# Measuring would double its time, and each line that it runs is a test's of its own too.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

OURS = {"accounts", "shop", "cart", "orders", "payments", "backoffice"}
_WRITES = re.compile(r'(?:INSERT INTO|UPDATE|DELETE FROM) "(?!django_session)')
M, S, W, A = "Manager", "Support", "Warehouse", "Accountant"
# Every button of the admin, by model and name: who may press it.
BUTTONS: dict[str, set[str]] = {
    "accounts.user.reset_second_step": set(),
    "accounts.user.close_account": {M},
    "accounts.user.send_password_link": {M},
    "backoffice.importrun.new_import": {M},
    "backoffice.importrun.start": {M},
    "backoffice.importrun.discard": {M},
    "orders.order.new_order": {M, S},
    "orders.order.export_orders": {M, A},
    "orders.order.export_lines": {M, A},
    "orders.order.hand_over": {M, W},
    "orders.order.delivered": {M, W},
    "orders.order.put_back": {M, W},
    "orders.order.refund": {M, S},
    "orders.order.cancel": {M, S},
    "orders.order.address": {M, S},
    "orders.order.send_again": {M, S},
    "orders.order.book_by_hand": {M},
    "orders.order.packing_slip": {M, S, W, A},
    "orders.order.invoice": {M, S, A},
    "orders.review.accept": {M},
    "orders.review.refund": {M},
    "orders.review.settle": {M},
    "payments.refundrequest.approve": {M},
    "payments.refundrequest.decline": {M, S},
    "payments.ledgerentry.export_entries": {M, A},
    "payments.inboxevent.retry": {M},
    "payments.inboxevent.set_aside": {M},
    "shop.product.preview": {M, S, W},
    "shop.product.duplicate": {M},
    "shop.product.archive": {M},
    "shop.product.restore": {M},
    "shop.variant.receive_goods": {M, W},
    "shop.variant.count": {M, W},
    "shop.variant.change_prices": {M},
    "shop.variant.export_products": {M, S, W},
    "shop.variant.receive": {M, W},
    "shop.variant.adjust": {M, W},
}
# Every list of ours: who may look at it.
LISTS: dict[str, set[str]] = {
    "accounts.user": {M, S},
    "backoffice.auditentry": {M},
    "backoffice.erasure": {M},
    "backoffice.importrun": {M},
    "orders.order": {M, S, W, A},
    "orders.review": {M, S, A},
    "payments.dispute": {M, S, A},
    "payments.inboxevent": {M},
    "payments.ledgerentry": {M, S, A},
    "payments.paymentattempt": {M, S, A},
    "payments.refund": {M, S, A},
    "payments.refundrequest": {M, S, A},
    "shop.category": {M, S, W},
    "shop.pricechange": {M, S, W},
    "shop.product": {M, S, W},
    "shop.stockmovement": {M, S, W},
    "shop.variant": {M, S, W},
}


def labels_of(group: Group) -> set[str]:
    rows = group.permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def signed_in(role: str) -> Client:
    client = Client()
    client.force_login(one_of(role))
    return client


@pytest.fixture
def rows() -> dict[str, int]:
    """A row of each model that has buttons."""
    order = PendingOrderFactory()
    review = Review.objects.create(order=order, reason="late", cause="c", opened_at=PLACED_AT)
    request = RefundRequest.objects.create(
        key="00000000-0000-0000-0000-000000000001",
        order=order,
        charge_id="ch_1",
        amount_minor=1,
        currency="EUR",
        why="other",
        asked_by_id=1,
        asked_at=PLACED_AT,
    )
    payload = {"id": "evt_1", "type": "x", "livemode": False, "created": 1_700_000_000}
    inbox.store(payload=payload, source=InboxEvent.Source.WEBHOOK, at=PLACED_AT)
    file = ImportRun.objects.create(
        file_name="books.csv",
        columns=["sku"],
        row_count=0,
        form_key="00000000-0000-0000-0000-000000000002",
        by_user_id=1,
        uploaded_at=PLACED_AT,
        state=ImportRun.State.CHECKED,
    )
    return {
        "accounts.user": UserFactory().pk,
        "backoffice.importrun": file.pk,
        "orders.order": order.pk,
        "orders.review": review.pk,
        "payments.refundrequest": request.pk,
        "payments.inboxevent": InboxEvent.objects.get().pk,
        "shop.product": Product.objects.get().pk,
        "shop.variant": Variant.objects.get().pk,
    }


def address_of(button: str, rows: dict[str, int]) -> str:
    app, model, name = button.split(".")
    page: Any = next(
        p for m, p in admin.site._registry.items() if m._meta.label_lower == f"{app}.{model}"
    )
    args = [rows[f"{app}.{model}"]] if name in page.actions_detail else []
    return reverse(f"admin:{app}_{model}_{name}", args=args)


def test_the_groups_are_there_with_what_their_roles_may_do() -> None:
    found = {group.name: labels_of(group) for group in Group.objects.all()}

    assert found == {name: set(labels) for name, labels in ROLES.items()}


def test_migrating_puts_a_changed_group_right_and_leaves_others_alone() -> None:
    support, own = Group.objects.get(name="Support"), Group.objects.create(name="Weekend")
    support.permissions.set(permissions(("payments.approve_refundrequest",)))
    own.permissions.set(permissions(("orders.view_order",)))

    call_command("migrate", "backoffice", verbosity=0)

    assert labels_of(support) == set(ROLES["Support"])
    assert labels_of(own) == {"orders.view_order"}


def test_roles_stay_as_they_are_while_permissions_are_still_to_come() -> None:
    Permission.objects.filter(codename="approve_refundrequest").delete()
    before = {group.name: labels_of(group) for group in Group.objects.all()}

    bring_up_to_date()

    assert {group.name: labels_of(group) for group in Group.objects.all()} == before
    assert "orders.view_order" in before["Manager"]


def test_every_button_and_every_list_has_its_row() -> None:
    pages: dict[Any, Any] = dict(admin.site._registry)
    ours = {model: page for model, page in pages.items() if model._meta.app_label in OURS}
    buttons = {
        f"{model._meta.label_lower}.{name}"
        for model, page in ours.items()
        for name in (*page.actions_detail, *page.actions_list)
    }

    assert buttons == set(BUTTONS)
    assert {model._meta.label_lower for model in ours} == set(LISTS)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("button", BUTTONS)
def test_a_role_may_press_what_the_table_says(role: str, button: str, rows: dict[str, int]) -> None:
    client, address = signed_in(role), address_of(button, rows)
    if button == "shop.product.restore":
        Product.objects.update(archived_at=PLACED_AT, is_published=False)

    with CaptureQueriesContext(connection) as queries:
        answers = [client.get(address), client.post(address, {"confirmed": "1"})]

    if role in BUTTONS[button]:
        # Whatever the row of this test says to it.
        assert {answer.status_code for answer in answers} <= {200, 302, 422}
    else:
        assert [answer.status_code for answer in answers] == [403, 403]
        assert [q["sql"] for q in queries if _WRITES.match(q["sql"])] == []


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("model", LISTS)
def test_a_role_may_look_at_what_the_table_says(role: str, model: str) -> None:
    name = f"admin:{model.replace('.', '_')}_changelist"

    status = signed_in(role).get(reverse(name)).status_code

    assert status == (200 if role in LISTS[model] else 403)


@pytest.mark.parametrize("role", ROLES)
def test_no_role_gives_rights_or_touches_colleagues(role: str) -> None:
    client, colleague = signed_in(role), UserFactory(is_staff=True)
    page = reverse("admin:accounts_user_change", args=[colleague.pk])

    client.post(page, {"email": colleague.email, "name": "X", "is_superuser": "on"})
    client.post(reverse("admin:auth_group_add"), {"name": "Mine"})

    colleague.refresh_from_db()
    assert (colleague.name, colleague.is_superuser) == ("", False)
    assert not Group.objects.filter(name="Mine").exists()
    assert not User.objects.filter(is_superuser=True).exists()
    assert Order.objects.count() == 0
