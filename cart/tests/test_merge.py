from datetime import UTC, datetime

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.tests.factories import UserFactory
from cart import services
from cart.models import Cart
from cart.services import Change
from cart.tests.factories import CartFactory, CartLineFactory
from shop.models import Variant
from shop.tests.factories import VariantFactory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT = settings.CART_LINE_LIMIT


def quantities(cart: Cart) -> dict[int, int]:
    return {line.variant_id: line.quantity for line in cart.lines.all()}


class Merges(TestCase):
    """Whatever two carts hold, merging adds it up under the limit."""

    variants: list[Variant]

    @classmethod
    def setUpTestData(cls) -> None:
        cls.variants = VariantFactory.create_batch(4)

    @given(data=st.data())
    def test_sums_are_kept_up_to_the_limit_and_repeating_changes_nothing(
        self, data: st.DataObject
    ) -> None:
        contents = st.dictionaries(st.sampled_from(range(4)), st.integers(1, LIMIT))
        of_guest, of_user = data.draw(contents), data.draw(contents)
        guest, users = CartFactory(), CartFactory(user=UserFactory())
        for cart, content in ((guest, of_guest), (users, of_user)):
            for index, quantity in content.items():
                CartLineFactory(cart=cart, variant=self.variants[index], quantity=quantity)

        first = services.merge(guest=guest, user_cart=users, at=NOON)
        second = services.merge(guest=guest, user_cart=users, at=NOON)

        sums = {i: of_guest.get(i, 0) + of_user.get(i, 0) for i in of_guest.keys() | of_user.keys()}
        kept = {self.variants[i].pk: min(units, LIMIT) for i, units in sums.items()}
        guest.refresh_from_db()
        assert quantities(users) == kept
        assert quantities(guest) == {}
        assert guest.merged_into == users
        assert first == Change(
            units=sum(kept.values()) - sum(of_user.values()),
            is_capped=any(units > LIMIT for units in sums.values()),
        )
        assert second == Change(units=0)


@pytest.mark.django_db
def test_a_price_that_changed_since_the_visit_is_still_news_after_merging() -> None:
    line = CartLineFactory(variant__price_minor=12_00, seen_price_minor=10_00)
    users = CartFactory(user=UserFactory())

    services.merge(guest=line.cart, user_cart=users, at=NOON)

    assert users.lines.get().seen_price_minor == 10_00


@pytest.mark.django_db
def test_a_cart_that_is_merged_already_stays_with_its_first_user() -> None:
    guest, first, second = (
        CartFactory(),
        CartFactory(user=UserFactory()),
        CartFactory(user=UserFactory()),
    )
    services.merge(guest=guest, user_cart=first, at=NOON)

    services.merge(guest=guest, user_cart=second, at=NOON)

    guest.refresh_from_db()
    assert guest.merged_into == first
