"""The staff's view of orders and money: it shows all, and changes what services let it change."""

from payments.admin import (
    books,
    disputes,
    inbox,
    jobs,
    order_desk,
    refund_requests,
    refunds,
    reviews,
    stripe_mirror,
)

__all__ = [
    "books",
    "disputes",
    "inbox",
    "jobs",
    "order_desk",
    "refund_requests",
    "refunds",
    "reviews",
    "stripe_mirror",
]
