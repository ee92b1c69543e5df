"""`manage.py reconcile`: ask Stripe now for whatever webhooks may have missed."""

import logging
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from payments import gateway
from payments.services import holds, inbox, reconciliation
from shop.clock import now

logger = logging.getLogger(__name__)

_TELL_EVERY = 100


class Command(BaseCommand):
    help = (
        "Ask Stripe now for whatever webhooks may have missed: its list of events, and what became "
        "of every unfinished payment, refund and dispute; then end the orders that are past their "
        "time. Safe to repeat and beside a running worker, which processes the events that are "
        "found. The worker does all this by itself too, a little at a time."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        started = now()
        attempts = reconciliation.attempts_due(started, unless_asked_since=started)
        refunds = reconciliation.refunds_due(started, unless_asked_since=started)
        failures = sum(
            (
                self._each(
                    "attempts",
                    attempts,
                    lambda pk: reconciliation.ask_after_attempt(attempt_id=pk, at=now()),
                ),
                self._each(
                    "refunds",
                    refunds,
                    lambda pk: reconciliation.ask_after_refund(refund_id=pk, at=now()),
                ),
                self._each(
                    "disputes",
                    reconciliation.disputes_due(),
                    lambda pk: reconciliation.ask_after_dispute(dispute_id=pk, at=now()),
                ),
                self._each(
                    "orders past their time",
                    holds.overdue(now()),
                    lambda pk: holds.expire(order_id=pk, at=now()),
                ),
            )
        )
        # Last, so that what was ended at Stripe just now is among them.
        self._read_events()
        stranded = inbox.requeue_stranded(at=now())
        self.stdout.write(f"events without a job: {stranded}, queued again")
        if failures:
            raise CommandError(f"{failures} could not be asked after; the log says why. Repeat it.")

    def _read_events(self) -> None:
        try:
            listed = reconciliation.read_events(at=now(), tell=self._tell_events)
        except gateway.GatewayError as error:
            raise CommandError(
                f"Stripe did not list its events ({error!r}). Nothing is lost: run this again."
            ) from error
        self.stdout.write(
            f"events: {listed.events} since {listed.since:%Y-%m-%d %H:%M} UTC, {listed.new} of"
            " them new, which the worker processes"
        )

    def _tell_events(self, found: int) -> None:
        self._tell(f"events: {found} ...")

    def _each(self, what: str, rows: QuerySet[Any], ask: Callable[[int], object]) -> int:
        """Ask after each row; one that fails keeps nobody from the others. Returns how many did."""
        found = list(rows.values_list("pk", flat=True))
        failures = 0
        for number, pk in enumerate(found, start=1):
            try:
                ask(pk)
            except Exception:
                logger.exception("%s: %s could not be asked after", what, pk)
                failures += 1
            if number % _TELL_EVERY == 0:
                self._tell(f"{what}: {number} of {len(found)} ...")
        self.stdout.write(f"{what}: {len(found)}, {failures} without an answer")
        return failures

    def _tell(self, line: str) -> None:
        self.stderr.write(line, lambda text: text)  # it is no error, so not in red
