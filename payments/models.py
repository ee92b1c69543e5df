"""Tries to take an order's money, what Stripe told us, and the books."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q, Sum

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
    created_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    reconcile_queued_at = models.DateTimeField(null=True)
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
    def is_live(self) -> bool:
        return self.state in LIVE_STATES


class InboxEvent(models.Model):
    """A Stripe event, verified, stored once, and processed by the worker."""

    class State(models.TextChoices):
        RECEIVED = "received", "received"
        RETRYING = "retrying", "retrying"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        IGNORED = "ignored", "ignored"

    class Source(models.TextChoices):
        WEBHOOK = "webhook"
        RECONCILE = "reconcile"

    event_id = models.CharField(max_length=255, unique=True)
    type = models.CharField(max_length=255)
    payload = models.JSONField()
    api_version = models.CharField(max_length=64, blank=True)
    livemode = models.BooleanField()
    source = models.CharField(max_length=9, choices=Source)
    state = models.CharField(max_length=8, choices=State, default=State.RECEIVED)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)
    order = models.ForeignKey(Order, models.PROTECT, null=True, related_name="inbox_events")
    received_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["received", "retrying", "done", "failed", "ignored"]),
                name="inbox_state_is_known",
            )
        ]
        indexes = [
            models.Index(
                fields=["received_at"],
                condition=Q(state__in=["received", "retrying", "failed"]),
                name="inbox_unfinished_by_age",
            ),
            models.Index(fields=["type", "-id"], name="inbox_by_type"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"

    @property
    def is_finished(self) -> bool:
        return self.state in {self.State.DONE, self.State.IGNORED}


class LedgerQuerySet(models.QuerySet["LedgerEntry"]):
    def received(self) -> Self:
        """Keep money that came in: captures, and manual entries above zero."""
        return self.filter(
            Q(kind=LedgerEntry.Kind.CAPTURE) | Q(kind=LedgerEntry.Kind.MANUAL, amount_minor__gt=0)
        )

    def given_back(self) -> Self:
        """Keep money that went back, and refunds that failed after all."""
        return self.filter(
            Q(kind__in=[LedgerEntry.Kind.REFUND, LedgerEntry.Kind.REFUND_REVERSAL])
            | Q(kind=LedgerEntry.Kind.MANUAL, amount_minor__lt=0)
        )

    def total_minor(self, currency: str) -> int:
        """Return the signed sum in one currency, in minor units."""
        total: int | None = self.filter(currency=currency).aggregate(total=Sum("amount_minor"))[
            "total"
        ]
        return total or 0


class LedgerEntry(models.Model):
    """Money that moved, append-only: signed minor units of `currency`; a correction is a new entry.

    Captures, refunds and disputes are in the charge's currency, fees in the account's.
    """

    class Kind(models.TextChoices):
        CAPTURE = "capture"
        REFUND = "refund"
        REFUND_REVERSAL = "refund_reversal"
        DISPUTE = "dispute"
        DISPUTE_REVERSAL = "dispute_reversal"
        FEE = "fee"
        MANUAL = "manual"

    order = models.ForeignKey(Order, models.PROTECT, related_name="ledger")
    attempt = models.ForeignKey(PaymentAttempt, models.PROTECT, null=True, related_name="ledger")
    kind = models.CharField(max_length=16, choices=Kind)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    # Null for a manual entry; unique per kind when known.
    stripe_id = models.CharField(  # noqa: DJ001
        max_length=255, null=True, help_text="The charge, refund or balance transaction."
    )
    form_key = models.UUIDField(null=True, unique=True, help_text="Of a manual entry's form.")
    booked_at = models.DateTimeField()

    objects = LedgerQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "stripe_id"], name="ledger_once_per_stripe_object"
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=["capture", "refund_reversal", "dispute_reversal"], amount_minor__gt=0
                )
                | Q(kind__in=["refund", "dispute"], amount_minor__lt=0)
                | Q(kind="fee")
                | (Q(kind="manual") & ~Q(amount_minor=0)),
                name="ledger_sign_fits_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind="manual", stripe_id__isnull=True, form_key__isnull=False)
                | (~Q(kind="manual") & Q(stripe_id__isnull=False, form_key__isnull=True)),
                name="ledger_names_its_source",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="ledger_currency_is_iso"
            ),
        ]
        indexes = [models.Index(fields=["booked_at"], name="ledger_by_day")]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor} {self.currency}"
