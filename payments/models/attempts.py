"""Tries to take an order's money."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q

from orders.models import Order


class State(models.TextChoices):
    CREATED = "created", "created"
    OPEN = "open", "open"
    PROCESSING = "processing", "processing"
    SUCCEEDED = "succeeded", "succeeded"
    CLOSED = "closed", "closed"


# Those by which money may still come.
LIVE_STATES = (State.CREATED, State.OPEN, State.PROCESSING)


class AttemptQuerySet(models.QuerySet["PaymentAttempt"]):
    def live(self) -> Self:
        """Keep attempts by which money may still come."""
        return self.filter(state__in=LIVE_STATES)


class PaymentAttempt(models.Model):
    """One try to take an order's money, committed before Stripe is asked.

    A retry repeats the row: the same idempotency key with the same parameters. `amount_minor` is in
    minor units of `currency`; `deadline_at` is when Stripe stops taking money for it.
    """

    State = State

    class Kind(models.TextChoices):
        CHECKOUT = "checkout"
        INTENT = "intent"
        MANUAL = "manual"

    class ClosedAs(models.TextChoices):
        EXPIRED = "expired"
        CANCELED = "canceled"
        FAILED = "failed"
        SUPERSEDED = "superseded"

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="attempts")
    kind = models.CharField(max_length=8, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.CREATED)
    closed_as = models.CharField(max_length=10, choices=ClosedAs, blank=True)
    params = models.JSONField(help_text="What Stripe is asked for, word for word.")
    amount_minor = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    # Null where not known yet: unique when known.
    session_id = models.CharField(max_length=255, unique=True, null=True)  # noqa: DJ001
    intent_id = models.CharField(max_length=255, unique=True, null=True)  # noqa: DJ001
    url = models.URLField(max_length=2000, blank=True)
    client_secret = models.CharField(
        max_length=255,
        blank=True,
        db_default="",
        help_text="Lets the buyer's own client pay an intent; shown to nobody else.",
    )
    created_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    reconcile_queued_at = models.DateTimeField(
        null=True, help_text="When the buyer's return last had Stripe asked."
    )
    reconciled_at = models.DateTimeField(
        null=True, help_text="When the clock last had Stripe asked."
    )
    close_failed_at = models.DateTimeField(
        null=True, help_text="When Stripe could last not be asked to close it."
    )

    objects = AttemptQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=State.values), name="attempt_state_is_known"
            ),
            models.CheckConstraint(
                condition=(Q(state="closed") & ~Q(closed_as=""))
                | (~Q(state="closed") & Q(closed_as="")),
                name="attempt_says_how_it_closed",
            ),
            models.CheckConstraint(
                condition=~Q(state="open", kind="checkout")
                | (Q(session_id__isnull=False) & ~Q(url="")),
                name="attempt_open_checkout_has_session",
            ),
            models.CheckConstraint(
                condition=~Q(state="open", kind="intent")
                | (Q(intent_id__isnull=False) & ~Q(client_secret="")),
                name="attempt_open_intent_has_secret",
            ),
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(state__in=["created", "open", "processing"]),
                name="attempt_one_live_per_order",
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=["created", "open", "processing"]),
                name="attempt_live_by_age",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} ({self.state})"

    @property
    def idempotency_key(self) -> str:
        return f"attempt-{self.key}"

    @property
    def stripe_id(self) -> str | None:
        """The id of what was asked of Stripe, None while it is not known."""
        return self.intent_id if self.kind == self.Kind.INTENT else self.session_id

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES
