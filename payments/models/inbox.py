"""What Stripe told us, and how far its list of events was read."""

from typing import Self

from django.db import models
from django.db.models import Q

from orders.models import Order


class InboxQuerySet(models.QuerySet["InboxEvent"]):
    def unfinished(self) -> Self:
        """Keep events that are still to be processed, by themselves or by a person's word."""
        return self.filter(state__in=InboxEvent.UNFINISHED)

    def retryable(self) -> Self:
        """Keep events that may run again by a person's word: failed, or set aside by somebody."""
        failed = Q(state=InboxEvent.State.FAILED)
        return self.filter(failed | Q(payload__isnull=False) & ~Q(set_aside_why=""))


class InboxEvent(models.Model):
    """A Stripe event, verified, stored once, and processed by the worker."""

    class State(models.TextChoices):
        RECEIVED = "received", "received"
        RETRYING = "retrying", "retrying"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        IGNORED = "ignored", "ignored"

    FINISHED = (State.DONE, State.IGNORED)
    UNFINISHED = (State.RECEIVED, State.RETRYING, State.FAILED)

    class Source(models.TextChoices):
        WEBHOOK = "webhook"
        RECONCILE = "reconcile"

    event_id = models.CharField(max_length=255, unique=True)
    type = models.CharField(max_length=255)
    payload = models.JSONField(null=True, help_text="Null once it is pruned; the id stays.")
    made_at = models.DateTimeField(null=True, help_text="When Stripe made it.")
    api_version = models.CharField(max_length=64, blank=True)
    livemode = models.BooleanField()
    source = models.CharField(max_length=9, choices=Source)
    state = models.CharField(max_length=8, choices=State, default=State.RECEIVED)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)
    set_aside_why = models.CharField(
        max_length=200,
        blank=True,
        db_default="",
        help_text="Why a person had it ignored, as no retry would mend it.",
    )
    order = models.ForeignKey(Order, models.PROTECT, null=True, related_name="inbox_events")
    received_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = InboxQuerySet.as_manager()

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
            models.Index(
                fields=["finished_at"],
                condition=Q(payload__isnull=False),
                name="inbox_payloads_by_age",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"

    @property
    def is_finished(self) -> bool:
        return self.state in self.FINISHED


class Checkpoint(models.Model):
    """Up to when a list of Stripe's was read; what is older need not be read again."""

    name = models.CharField(max_length=32, unique=True)
    reached_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} up to {self.reached_at}"
