"""What tests of reviews share: orders about whose money a person has to decide."""

from typing import Any

from orders import services as orders
from orders.models import Order, Reason, Review
from payments.models import PaymentAttempt
from payments.services import attempts
from payments.tests import support
from shop.tests.factories import VariantFactory


def mismatched(sandbox: Any, *, paid_too_little: int = 1) -> Review:
    """Return the review of a pending order that got less than was asked for."""
    variant = VariantFactory(on_hand=1)
    attempt = support.checkout(support.cart_with(variant))
    PaymentAttempt.objects.update(amount_minor=attempt.amount_minor + paid_too_little)
    Order.objects.update(
        subtotal_minor=attempt.order.subtotal_minor + paid_too_little,
        total_minor=attempt.order.total_minor + paid_too_little,
    )
    sandbox.pay(attempt.url)
    attempts.reconcile(attempt=attempt, at=support.stripe_now())
    support.run_jobs()
    return Review.objects.get()


def late(sandbox: Any) -> Order:
    """Return a canceled order that was paid all the same; its refund is not yet sent."""
    attempt = support.checkout(support.cart_with(VariantFactory(on_hand=1)))
    orders.cancel(order=attempt.order, reason=Reason.BUYER, cause="", at=support.stripe_now())
    sandbox.pay(attempt.url)
    attempts.reconcile(attempt=attempt, at=support.stripe_now())
    return attempt.order
