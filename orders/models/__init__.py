"""Orders, their lines, their story, what left the house, and what about them waits for a person."""

from orders.models.fulfillments import Fulfillment, FulfillmentLine
from orders.models.mails import OrderMail
from orders.models.notes import OrderNote
from orders.models.orders import (
    Order,
    OrderEvent,
    OrderLine,
    OrderQuerySet,
    Reason,
    Status,
)
from orders.models.reviews import Review, ReviewQuerySet

__all__ = [
    "Fulfillment",
    "FulfillmentLine",
    "Order",
    "OrderEvent",
    "OrderLine",
    "OrderMail",
    "OrderNote",
    "OrderQuerySet",
    "Reason",
    "Review",
    "ReviewQuerySet",
    "Status",
]
