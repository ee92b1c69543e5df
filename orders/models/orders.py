"""Orders, their lines and their story."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q
from django.db.models.fields.json import KT
from django.db.models.functions import Upper

from accounts.erased import is_erased
from cart.models import Cart
from shop.models import Variant


class Reason(models.TextChoices):
    """Why an order moved, or why its story has an entry that is no move."""

    PLACED = "placed", "placed"
    CAPTURE = "capture", "payment received"
    LATE_CAPTURE = "late_capture", "payment received late"
    MANUAL = "manual", "payment entered by staff"
    ZERO = "zero", "nothing to pay"
    ACCEPTED = "accepted", "accepted by staff"
    BUYER = "buyer", "canceled by the buyer"
    STAFF = "staff", "canceled by staff"
    REPLACEMENT = "replacement", "replaced by a newer order"
    EXPIRY = "expiry", "not paid in time"
    HANDED_OVER = "handed_over", "units handed over"
    FULFILLED = "fulfilled", "handed over"
    DELIVERED = "delivered", "delivered"
    PUT_BACK = "put_back", "goods put back"
    ADDRESS_CHANGED = "address_changed", "address changed"
    MAIL_REPEATED = "mail_repeated", "mail sent again"
    REFUND_WAITS = "refund_waits", "refund waits for a second person"
    REFUND_DECLINED = "refund_declined", "refund not approved"
    REFUND_ASKED = "refund_asked", "refund asked for"
    PARTLY_REFUNDED = "partly_refunded", "partly refunded"
    REFUNDED = "refunded", "refunded"
    REFUND_FAILED = "refund_failed", "refund failed"
    DISPUTED = "disputed", "payment disputed"
    DISPUTE_MOVED = "dispute_moved", "dispute news"
    DISPUTE_CLOSED = "dispute_closed", "dispute closed"
    FAILED_CARD = "failed_card", "card declined"
    PROCESSING = "processing", "payment on its way"
    PAYMENT_FAILED = "payment_failed", "payment failed"
    MONEY_BOOKED = "money_booked", "money booked"
    REVIEW_OPENED = "review_opened", "put to review"
    REVIEW_RESOLVED = "review_resolved", "review resolved"


class Status(models.TextChoices):
    PENDING = "pending", "awaiting payment"
    PAID = "paid", "paid"
    FULFILLED = "fulfilled", "fulfilled"
    CANCELED = "canceled", "canceled"
    REFUNDED = "refunded", "refunded"


# The words of the name that goods go to.
NAME_WORDS = SearchVector(KT("shipping_address__name"), config="simple")


class OrderQuerySet(models.QuerySet["Order"]):
    def pending(self) -> Self:
        """Keep orders that hold stock and wait for money."""
        return self.filter(status=Status.PENDING)

    def in_cart(self) -> Self:
        """Keep orders whose goods were not yet taken out of the cart they came from."""
        return self.filter(cart_emptied_at__isnull=True)


class Order(models.Model):
    """What somebody agreed to buy; amounts in minor units of `currency`, frozen when placed."""

    Status = Status

    class PlacedBy(models.TextChoices):
        BUYER = "buyer"
        STAFF = "staff"

    number = models.CharField(max_length=16, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="orders"
    )
    email = models.EmailField("e-mail address")
    locale = models.CharField(max_length=16)
    currency = models.CharField(max_length=3)
    subtotal_minor = models.PositiveBigIntegerField()
    discount_minor = models.PositiveBigIntegerField(default=0)
    shipping_minor = models.PositiveBigIntegerField()
    tax_minor = models.PositiveBigIntegerField(default=0)
    total_minor = models.PositiveBigIntegerField()
    tax_included_minor = models.PositiveBigIntegerField(default=0)
    shipping_address = models.JSONField()
    billing_address = models.JSONField(null=True)
    client_ip = models.GenericIPAddressField(null=True)
    cart = models.ForeignKey(Cart, models.PROTECT, null=True, related_name="orders")
    cart_due_at = models.DateTimeField(null=True)
    cart_emptied_at = models.DateTimeField(null=True)
    fingerprint = models.CharField(max_length=64)
    placed_by = models.CharField(max_length=5, choices=PlacedBy, default=PlacedBy.BUYER)
    status = models.CharField(max_length=9, choices=Status, default=Status.PENDING)
    cancel_note = models.CharField(
        max_length=200, blank=True, db_default="", help_text="Why staff canceled, for the buyer."
    )
    placed_at = models.DateTimeField()
    hold_until = models.DateTimeField()
    pay_until = models.DateTimeField()

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ["-placed_at", "-pk"]
        permissions = [
            ("fulfill_order", "Can hand over the goods of orders"),
            ("export_order", "Can export orders with their buyers and money"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    total_minor=F("subtotal_minor")
                    - F("discount_minor")
                    + F("shipping_minor")
                    + F("tax_minor")
                ),
                name="order_total_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="order_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="order_currency_is_iso"
            ),
            models.CheckConstraint(
                condition=Q(cart_emptied_at__isnull=True) | Q(cart_due_at__isnull=False),
                name="order_cart_emptied_only_when_due",
            ),
            models.UniqueConstraint(
                fields=["cart"],
                condition=Q(status="pending", cart_emptied_at__isnull=True),
                name="order_one_pending_per_cart",
            ),
        ]
        indexes = [
            models.Index(fields=["hold_until"], condition=Q(status="pending"), name="order_holds"),
            models.Index(
                fields=["cart"],
                condition=Q(cart_due_at__isnull=False, cart_emptied_at__isnull=True),
                name="order_cart_due",
            ),
            models.Index(fields=["user", "-placed_at"], name="order_by_user"),
            models.Index(
                Upper("email"), condition=Q(status="pending"), name="order_pending_by_email"
            ),
            models.Index(
                fields=["client_ip"], condition=Q(status="pending"), name="order_pending_by_ip"
            ),
            models.Index(fields=["-placed_at", "-id"], name="order_newest"),
            models.Index(fields=["status", "-placed_at", "-id"], name="order_by_status"),
            # By its beginning too, which `Upper` alone does not serve.
            models.Index(OpClass(Upper("email"), name="text_pattern_ops"), name="order_by_email"),
            GinIndex(NAME_WORDS, name="order_by_name"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_pending(self) -> bool:
        return self.status == Status.PENDING

    @property
    def is_paid(self) -> bool:
        """Paid and not given back, handed over or not."""
        return self.status in {Status.PAID, Status.FULFILLED}

    @property
    def is_fulfilled(self) -> bool:
        """Nothing is left to be handed over."""
        return self.status == Status.FULFILLED

    @property
    def is_canceled(self) -> bool:
        return self.status == Status.CANCELED

    @property
    def is_erased(self) -> bool:
        """Nobody is left to be told: the data of its buyer were erased."""
        return is_erased(self.email)

    @property
    def pay_by(self) -> datetime:
        """When the last payment for it can be started."""
        return min(self.hold_until, self.pay_until - settings.SESSION_LASTS)


class OrderLine(models.Model):
    """A variant on a placed order, in minor units of `order.currency`; never edited later."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    # Served by the index below.
    variant = models.ForeignKey(Variant, models.PROTECT, related_name="+", db_index=False)
    title = models.CharField(max_length=320)
    sku = models.CharField("SKU", max_length=64)
    quantity = models.PositiveIntegerField()
    unit_price_minor = models.PositiveBigIntegerField()
    discount_minor = models.PositiveBigIntegerField(default=0)
    tax_minor = models.PositiveBigIntegerField(default=0)
    tax_included_minor = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["order", "variant"], name="order_line_per_variant"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="order_line_has_quantity"),
            models.CheckConstraint(
                condition=Q(discount_minor__lte=F("unit_price_minor") * F("quantity")),
                name="order_line_discount_within_price",
            ),
        ]
        indexes = [models.Index(fields=["variant", "-order"], name="order_line_by_variant")]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.sku} on order {self.order_id}"

    @property
    def subtotal_minor(self) -> int:
        return self.quantity * self.unit_price_minor


class OrderEvent(models.Model):
    """An entry of an order's story, append-only; one that is no move has `from` = `to`.

    Written under the order's lock, so the entries chain in the order of their keys. `cause` is the
    id of the Stripe event or object, or of the user, that brought it about.
    """

    order = models.ForeignKey(Order, models.PROTECT, related_name="events")
    from_status = models.CharField(max_length=9, choices=Status, blank=True)
    to_status = models.CharField(max_length=9, choices=Status)
    reason = models.CharField(max_length=16, choices=Reason)
    cause = models.CharField(max_length=255, blank=True)
    by_user_id = models.BigIntegerField(null=True, help_text="The user's id; a plain number.")
    happened_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(to_status__in=Status.values)
                & (Q(from_status__in=Status.values) | Q(from_status="", reason="placed")),
                name="order_event_statuses_are_known",
            ),
            models.CheckConstraint(
                condition=Q(reason__in=Reason.values), name="order_event_reason_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_status or 'new'} > {self.to_status}: {self.reason}"
