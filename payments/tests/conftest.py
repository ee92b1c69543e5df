"""An order that waits for its money, and the intent that is open for it."""

from typing import Any

import pytest

from orders.models import Order
from orders.tests.factories import PendingOrderFactory
from payments.models import PaymentAttempt
from payments.tests import support
from payments.tests.intents import opened
from shop.models import Variant
from shop.tests.factories import VariantFactory


@pytest.fixture
def variant() -> Variant:
    variant: Variant = VariantFactory(on_hand=2, price_minor=2_000)
    return variant


@pytest.fixture
def order(sandbox: Any, variant: Variant) -> Order:
    return PendingOrderFactory(quantities={variant: 1}, at=support.stripe_now())


@pytest.fixture
def attempt(order: Order) -> PaymentAttempt:
    return opened(order)
