"""The books: money that moved."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Case, OuterRef, Q, Subquery, Sum, When
from django.db.models.functions import Coalesce, Now, TruncDate

from orders.models import Order
from payments.models.attempts import PaymentAttempt


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

    def capture_of(self, charge_id: str) -> Self:
        """Keep the capture of a charge; not by `charge_id`, which version 0.2.0 left empty."""
        return self.filter(kind=LedgerEntry.Kind.CAPTURE, stripe_id=charge_id)

    def disputed(self) -> Self:
        """Keep money that banks took back, and gave again."""
        return self.filter(kind__in=[LedgerEntry.Kind.DISPUTE, LedgerEntry.Kind.DISPUTE_REVERSAL])

    def dated(self) -> Self:
        """Annotate `moved_at`, by whose UTC day an entry counts.

        A capture and its fee are one balance transaction, which Stripe makes after the charge,
        maybe on the next day. So the fee, once it is booked, tells when the capture moved; what a
        dispute or a refund costs comes later.
        """
        kind = LedgerEntry.Kind
        fees = LedgerEntry.objects.filter(kind=kind.FEE, charge_id=OuterRef("stripe_id"))
        first_fee = Subquery(fees.order_by("occurred_at").values("occurred_at")[:1])
        of_capture = Case(When(kind=kind.CAPTURE, then=first_fee))
        return self.annotate(moved_at=Coalesce(of_capture, "occurred_at"))

    def between(self, first: date, last: date) -> Self:
        """Keep money that moved on these days (UTC) and those between them, `dated`."""
        start = datetime.combine(first, time(), UTC)
        end = datetime.combine(last + timedelta(days=1), time(), UTC)
        near = LedgerEntry.objects.filter(occurred_at__gte=start, occurred_at__lt=end)
        captures = LedgerEntry.objects.filter(
            kind=LedgerEntry.Kind.CAPTURE,
            stripe_id__in=near.filter(kind=LedgerEntry.Kind.FEE).values("charge_id"),
        )
        # All that may be of these days, found by indexes: the moment itself has none.
        found = near.order_by().values("pk").union(captures.order_by().values("pk"))
        return self.dated().filter(pk__in=found, moved_at__gte=start, moved_at__lt=end)

    def sums(self) -> models.QuerySet["LedgerEntry", Any]:
        """Return a dictionary per currency: the signed sums of each kind, and `net` of all."""
        return self.order_by("currency").values("currency").annotate(**_sums())

    def sums_by_day(self) -> models.QuerySet["LedgerEntry", Any]:
        """Return a dictionary per `day` (UTC, the latest first) and currency, as `sums` does."""
        days = self.dated().annotate(day=TruncDate("moved_at", tzinfo=UTC))
        return days.order_by("-day", "currency").values("day", "currency").annotate(**_sums())

    def sum_of_order(self) -> Subquery:
        """Return the signed sum of these entries of the order that an outer query is about.

        In minor units of its currency; none where there is no entry.
        """
        of_order = self.filter(order=OuterRef("pk"), currency=OuterRef("currency"))
        by_order = of_order.order_by().values("order").annotate(sum=Sum("amount_minor"))
        return Subquery(by_order.values("sum"))

    def total_minor(self, currency: str) -> int:
        """Return the signed sum in one currency, in minor units."""
        total: int | None = self.filter(currency=currency).aggregate(total=Sum("amount_minor"))[
            "total"
        ]
        return total or 0


def _sums() -> dict[str, Sum]:
    kind = LedgerEntry.Kind
    kinds = {
        "captured": Q(kind=kind.CAPTURE),
        "given_back": Q(kind__in=[kind.REFUND, kind.REFUND_REVERSAL]),
        "disputed": Q(kind__in=[kind.DISPUTE, kind.DISPUTE_REVERSAL]),
        "fees": Q(kind=kind.FEE),
        # What all this left in the balance at Stripe, which knows nothing of manual entries.
        "net": ~Q(kind=kind.MANUAL),
        "manual": Q(kind=kind.MANUAL),
    }
    return {name: Sum("amount_minor", filter=only, default=0) for name, only in kinds.items()}


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

    class Means(models.TextChoices):
        """How money moved that no charge of Stripe's did."""

        CASH = "cash", "cash"
        TRANSFER = "transfer", "bank transfer"
        OTHER = "other", "otherwise"

    order = models.ForeignKey(Order, models.PROTECT, related_name="ledger")
    attempt = models.ForeignKey(PaymentAttempt, models.PROTECT, null=True, related_name="ledger")
    kind = models.CharField(max_length=16, choices=Kind)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    # Null for a manual entry; unique per kind when known.
    stripe_id = models.CharField(  # noqa: DJ001
        max_length=255, null=True, help_text="The charge, refund or balance transaction."
    )
    charge_id = models.CharField(
        max_length=255,
        blank=True,
        db_default="",
        help_text="The charge that it belongs to; empty for a manual entry.",
    )
    form_key = models.UUIDField(null=True, unique=True, help_text="Of a manual entry's form.")
    means = models.CharField(
        max_length=8,
        choices=Means,
        blank=True,
        db_default="",
        help_text="Of a manual entry; those of version 0.2.0 have none.",
    )
    booked_at = models.DateTimeField()
    occurred_at = models.DateTimeField(
        db_default=Now(),
        help_text="When the money moved, by Stripe's clock; of a capture, when it was charged.",
    )

    objects = LedgerQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "ledger entries"
        permissions = [("export_ledgerentry", "Can export the ledger")]
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
        indexes = [
            models.Index(fields=["occurred_at", "id"], name="ledger_by_day_of_money"),
            models.Index(fields=["charge_id"], name="ledger_by_charge"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor} {self.currency}"
