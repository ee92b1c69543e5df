"""The admin as a whole: who gets in, its browser policy, and every page of it."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from djstripe import models as djstripe

from accounts.models import User
from accounts.tests.factories import UserFactory
from backoffice.models import Erasure
from backoffice.tests.imported import looked_over
from orders.models import Order, Review
from orders.services import open_review
from payments.models import RefundRequest
from payments.queue import enqueue
from payments.tests import support
from shop.models import Variant
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


def test_anonymous_visitors_are_sent_to_the_shops_own_sign_in(client: Client) -> None:
    answer = client.get("/admin/shop/product/", follow=True)

    assert answer.redirect_chain[-1] == (
        "/accounts/login/?next=%2Fadmin%2Fshop%2Fproduct%2F",
        302,
    )


def test_whoever_is_signed_in_and_not_staff_is_refused(client: Client) -> None:
    client.force_login(UserFactory())

    answer = client.get("/admin/", follow=True)

    assert answer.status_code == 403


def test_only_the_admin_may_evaluate_scripts_and_style_inline(staff: Client) -> None:
    relaxed = staff.get("/admin/").headers["Content-Security-Policy"]
    strict = staff.get("/").headers["Content-Security-Policy"]

    assert "script-src 'self' 'unsafe-eval';" in relaxed + ";"
    assert "style-src 'self' 'unsafe-inline';" in relaxed + ";"
    assert "default-src 'self';" in relaxed
    assert "unsafe" not in strict
    assert "script-src" not in strict


def test_the_menu_shows_what_a_user_may_view(client: Client) -> None:
    client.force_login(UserFactory(is_staff=True))

    answer = client.get("/admin/")

    assert answer.status_code == 200
    assert "/admin/orders/order/" not in answer.content.decode()


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_every_list_answers_with_and_without_a_search(staff: Client, model: Any) -> None:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

    assert staff.get(address).status_code == 200
    assert staff.get(address, {"q": "anything"}).status_code == 200


def test_every_detail_page_answers(staff: Client, boss: User, sandbox: Any) -> None:
    order = _a_disputed_order(sandbox)
    _copies_of_what_no_purchase_brings()
    open_review(
        order=order, reason=Review.Reason.SECOND, cause="ch_2", detail="", at=support.stripe_now()
    )
    Group.objects.create(name="Packers")
    enqueue("end_attempt", attempt_id=1)
    staff.post(
        reverse("admin:shop_category_add"), {"name": "Verse", "slug": "verse", "position": 0}
    )
    Variant.objects.update(price_minor=7_77)
    _somebody_who_was_erased()
    looked_over(boss, [["sku"], ["W"]])
    RefundRequest.objects.create(
        key=uuid4(),
        order=order,
        charge_id="ch_1",
        amount_minor=100,
        currency="EUR",
        why="other",
        asked_by_id=1,
        asked_at=support.stripe_now(),
    )

    seen = {model: _open_one(staff, model) for model in admin.site._registry}

    assert {model._meta.label for model, status in seen.items() if status != 200} == set()


def _somebody_who_was_erased() -> None:
    Erasure.objects.create(
        erased_as="erased-1@erased.invalid",
        order_ids=[],
        inbox_ids=[],
        why="request",
        by_user_id=1,
        form_key=uuid4(),
        asked_at=support.stripe_now(),
    )


def _a_disputed_order(sandbox: Any) -> Order:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    sandbox.post("clock", advance=10)
    intent = support.stripe_get(f"checkout/sessions/{attempt.session_id}")["payment_intent"]
    sandbox.refund_in_dashboard(intent, amount=100)
    sandbox.dispute(intent)
    support.hear(sandbox.events(), but=())
    return support.reread(attempt.order)


def _copies_of_what_no_purchase_brings() -> None:
    created = timezone.now()
    shared = {"livemode": False, "created": created}
    djstripe.Account.objects.get_or_create(id="acct_1", defaults=shared)
    djstripe.Customer.objects.create(id="cus_1", email="reader@example.com", **shared)
    djstripe.PaymentMethod.objects.create(id="pm_1", stripe_data={"type": "card"}, **shared)
    charge = djstripe.Charge.objects.get()
    djstripe.Refund.objects.create(id="re_1", charge=charge, amount=100, currency="eur", **shared)


def _open_one(staff: Client, model: Any) -> int:
    """Return the status of the detail page of some row; a model without rows counts as 404."""
    row = model._default_manager.first()
    if row is None:
        return 404
    address = reverse(
        f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk]
    )
    return staff.get(address).status_code
