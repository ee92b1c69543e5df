"""Money that we give back."""

import uuid
from typing import Self

from django.db import models
from django.db.models import F, Q

from orders.models import Order, OrderLine, Review


class RefundQuerySet(models.QuerySet["Refund"]):
    def standing(self) -> Self:
        """Keep refunds that took, or may still take, money: all but the failed and canceled."""
        return self.exclude(state__in=[Refund.State.FAILED, Refund.State.CANCELED])

    def unfinished(self) -> Self:
        """Keep refunds whose end Stripe has not told yet."""
        return self.filter(state__in=Refund.UNFINISHED)


class Refund(models.Model):
    """Some or all of one charge, given back; committed before Stripe is asked.

    A retry repeats the row: the same idempotency key with the same parameters. `amount_minor` is in
    minor units of `currency`, the charge's. One without a key of ours in Stripe's metadata was made
    in Stripe's dashboard.
    """

    class State(models.TextChoices):
        CREATED = "created", "asked for"
        PENDING = "pending", "on its way"
        REQUIRES_ACTION = "requires_action", "waits for the buyer"
        SUCCEEDED = "succeeded", "given back"
        FAILED = "failed", "failed"
        CANCELED = "canceled", "canceled"

    UNFINISHED = (State.CREATED, State.PENDING, State.REQUIRES_ACTION)

    class Source(models.TextChoices):
        STAFF = "staff", "staff"
        AUTOMATIC = "automatic", "the shop itself"
        DASHBOARD = "dashboard", "Stripe's dashboard"

    class Why(models.TextChoices):
        # Stripe knows the first three by these names.
        REQUESTED = "requested_by_customer", "the buyer asked for it"
        DUPLICATE = "duplicate", "paid twice"
        FRAUDULENT = "fraudulent", "fraud"
        UNAVAILABLE = "unavailable", "we cannot deliver"
        LATE = "late", "paid after the order was closed"
        REVIEW = "review", "the payment was not as asked"
        OTHER = "other", "another reason"

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="refunds")
    review = models.ForeignKey(
        Review,
        models.PROTECT,
        null=True,
        related_name="refunds",
        help_text="The question that it answers once it succeeds.",
    )
    charge_id = models.CharField(max_length=255)
    intent_id = models.CharField(max_length=255)
    amount_minor = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    source = models.CharField(max_length=9, choices=Source)
    why = models.CharField(max_length=24, choices=Why)
    note = models.CharField(max_length=200, blank=True, help_text="In staff's words.")
    is_restocked = models.BooleanField(
        "restock", default=False, help_text="Its units go back on the shelf once it succeeds."
    )
    state = models.CharField(max_length=16, choices=State, default=State.CREATED)
    failure = models.CharField(max_length=64, blank=True, help_text="Why it failed, in a code.")
    # Null where not known yet: unique when known.
    stripe_id = models.CharField(max_length=255, unique=True, null=True)  # noqa: DJ001
    by_user_id = models.BigIntegerField(null=True, help_text="The user's id; a plain number.")
    created_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True, help_text="When Stripe was last asked about it.")

    objects = RefundQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "created",
                        "pending",
                        "requires_action",
                        "succeeded",
                        "failed",
                        "canceled",
                    ]
                ),
                name="refund_state_is_known",
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_gives_something"),
            models.CheckConstraint(
                condition=Q(state__in=["created", "failed", "canceled"])
                | Q(stripe_id__isnull=False),
                name="refund_known_to_stripe",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="refund_currency_is_iso"
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=["created", "pending", "requires_action"]),
                name="refund_unfinished_by_age",
            ),
            models.Index(fields=["charge_id"], name="refund_by_charge"),
            models.Index(fields=["-created_at", "-id"], name="refund_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency} of {self.charge_id} ({self.state})"

    @property
    def idempotency_key(self) -> str:
        return f"refund-{self.key}"


class RefundRequest(models.Model):
    """A refund above the limit, which waits for a second person; nothing is held back for it.

    `amount_minor` is in minor units of `currency`. Approving asks for the refund under the same
    `key`, and everything is checked anew then.
    """

    class Decision(models.TextChoices):
        APPROVED = "approved", "approved"
        DECLINED = "declined", "declined"

    key = models.UUIDField(unique=True, editable=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="refund_requests")
    review = models.ForeignKey(Review, models.PROTECT, null=True, related_name="refund_requests")
    charge_id = models.CharField(max_length=255)
    amount_minor = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    why = models.CharField(max_length=24, choices=Refund.Why)
    note = models.CharField(max_length=200, blank=True, help_text="In staff's words.")
    is_restocked = models.BooleanField("restock", default=False)
    units = models.JSONField(
        default=dict, help_text="By order line id: how many, and how many of them were handed over."
    )
    asked_by_id = models.BigIntegerField(help_text="The user's id; a plain number.")
    asked_at = models.DateTimeField()
    decision = models.CharField(max_length=8, choices=Decision, blank=True)
    decided_by_id = models.BigIntegerField(null=True, help_text="The user's id; a plain number.")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        permissions = [("approve_refundrequest", "Can approve refunds that others asked for")]
        constraints = [
            models.CheckConstraint(
                condition=Q(decision="", decided_by_id__isnull=True, decided_at__isnull=True)
                | Q(
                    decision__in=["approved", "declined"],
                    decided_by_id__isnull=False,
                    decided_at__isnull=False,
                ),
                name="refund_request_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(decision="approved") | ~Q(decided_by_id=F("asked_by_id")),
                name="refund_request_approved_by_another",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0), name="refund_request_gives_something"
            ),
        ]
        indexes = [
            models.Index(
                fields=["asked_at"], condition=Q(decision=""), name="refund_request_waiting"
            )
        ]

    def __str__(self) -> str:
        return (
            f"{self.amount_minor} {self.currency} of {self.charge_id} ({self.decision or 'waits'})"
        )

    @property
    def is_waiting(self) -> bool:
        return not self.decision


class RefundLine(models.Model):
    """Units of an order's line that a refund pays for: not handed over while it stands."""

    refund = models.ForeignKey(Refund, models.CASCADE, related_name="lines")
    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="refund_lines")
    quantity = models.PositiveIntegerField()
    handed_over = models.PositiveIntegerField(
        db_default=0, help_text="So many of them had left the house; the others stay in it."
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["refund", "line"], name="refund_line_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="refund_line_has_quantity"),
            models.CheckConstraint(
                condition=Q(handed_over__lte=F("quantity")), name="refund_line_handed_over_fits"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of line {self.line_id}"
