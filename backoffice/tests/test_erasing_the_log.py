"""What the audit log has of a person can be erased; that something happened stays."""

import pytest

from accounts.models import User
from accounts.tests.factories import UserFactory
from backoffice.audit import acting
from backoffice.models import AuditAddress, AuditEntry, AuditPersonal
from backoffice.services import erase_personal
from orders.models import Order
from orders.tests.factories import PendingOrderFactory
from shop.tests.factories import CategoryFactory

pytestmark = pytest.mark.django_db


def test_what_is_known_of_a_person_is_erased_and_nothing_else(boss: User) -> None:
    with acting(user_id=boss.pk, how="a test", address="192.0.2.1"):
        reader, other = UserFactory(email="ada@example.com"), UserFactory()
        order, kept = (PendingOrderFactory(user=user, email=user.email) for user in (reader, other))
        reader.emailaddress_set.create(email=reader.email)
        Order.objects.filter(pk=order.pk).update(cancel_note="Ms Reader is away")
    before = list(AuditEntry.objects.order_by("pk").values())

    count = erase_personal(user_id=reader.pk, order_ids=[order.pk])

    # The user, its address, the order, and what was written in it.
    assert count == 4
    left = AuditPersonal.objects.values_list("entry__model", "entry__row_id").order_by("pk")
    assert list(left) == [("accounts.user", str(other.pk)), ("orders.order", str(kept.pk))]
    assert not AuditPersonal.objects.filter(after__icontains="ada@").exists()
    assert list(AuditEntry.objects.order_by("pk").values()) == before
    assert before[-1]["personal"] == ["cancel_note"]
    assert AuditAddress.objects.count() == len(before)
    assert erase_personal(user_id=reader.pk, order_ids=[order.pk]) == 0


def test_one_of_the_staff_takes_the_addresses_along_from_which_he_acted(boss: User) -> None:
    clerk = UserFactory(is_staff=True)
    for by in (boss, clerk):
        with acting(user_id=by.pk, how="a test", address="192.0.2.1"):
            CategoryFactory()
            UserFactory()

    count = erase_personal(user_id=clerk.pk, order_ids=[])

    assert count == 2
    assert set(AuditAddress.objects.values_list("entry__by_user_id", flat=True)) == {boss.pk}
    assert AuditPersonal.objects.count() == 2, "of others, whom he wrote down"


def test_a_guest_is_known_by_his_orders_alone(boss: User) -> None:
    with acting(user_id=boss.pk, how="a test", address="192.0.2.1"):
        order = PendingOrderFactory()
        UserFactory()

    assert erase_personal(user_id=None, order_ids=[order.pk]) == 1

    assert AuditPersonal.objects.get().entry.model == "accounts.user"
    assert AuditAddress.objects.count() == AuditEntry.objects.count()
