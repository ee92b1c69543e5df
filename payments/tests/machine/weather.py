"""What nobody does: time passes, events come when they like, Stripe fails, processes die."""

from collections import Counter
from typing import Any

import requests
from django.conf import settings
from hypothesis import strategies as st

from orders import services as orders
from orders.models import Order, Reason, Review
from payments import tasks
from payments.services.news import HANDLED
from payments.tests import support
from payments.tests.machine import checks
from payments.tests.machine.world import ANY, FAILURES, NextPoint, World, pick, step
from shop.clock import now

# What may fail. The list of events is read by the test itself, and never fails here.
PATHS = [
    f"/v1/{name}"
    for name in ("checkout/sessions", "payment_intents", "charges", "refunds", "disputes")
]
MISHAPS: list[dict[str, Any]] = [
    {"kind": "wrong_amount", "by": 100},
    {"kind": "wrong_amount", "by": -100},
    {"kind": "wrong_currency", "currency": "usd"},
    {"kind": "second_charge"},
    {"kind": "refund_pending"},
]
PERIODIC = (
    tasks.end_overdue_holds,
    tasks.ask_after_attempts,
    tasks.ask_after_refunds,
    tasks.ask_after_disputes,
    tasks.read_events,
    tasks.requeue_stranded_events,
)


class Weather(World):
    @step(minutes=st.sampled_from([5, 12, 50, 70, 25 * 60]))
    def pass_time(self, minutes: int) -> None:
        self.stripe("clock", advance=minutes * 60)

    @step("orders", newest_first=st.booleans())
    def hear(self, newest_first: bool) -> None:
        self.hear_news(newest_first=newest_first)

    @step("orders", picks=st.lists(st.integers(0, 30), min_size=1, max_size=4))
    def hear_some(self, picks: list[int]) -> None:
        """Hear some events, one of them twice perhaps, and no others for now."""
        events = _handled()
        for which in picks:
            self._deliver(pick(events, which))

    @step("jobs", newest_first=st.booleans())
    def run_jobs(self, newest_first: bool) -> None:
        self.work(newest_first=newest_first)

    @step("orders", minutes=st.sampled_from([0, 11]))
    def reconcile(self, minutes: int) -> None:
        """Do what the clock has the shop do: in fair weather nothing is late after that."""
        self.stripe("clock", advance=minutes * 60)
        is_fair = not settings.FAULT_POINT and not any(self._faults().values())
        self.tick()
        if is_fair:
            checks.check_audit(but=checks.AT_REST_ONLY - {"overdue", "mails"})

    @step(kind=st.sampled_from(FAILURES), path=st.sampled_from(PATHS))
    def fail(self, kind: str, path: str) -> None:
        self.sandbox.fault(kind=kind, path=path)
        self.failing[path] += 1

    @step(mishap=st.sampled_from(MISHAPS))
    def err(self, mishap: dict[str, Any]) -> None:
        self.sandbox.fault(**mishap)

    @step(later=st.integers(0, 3))
    def die(self, later: int) -> None:
        """Let a process die at one of the next fault points that any comes to."""
        settings.FAULT_POINT = NextPoint(self.died, later)

    @step("cancelable", which=ANY, reason=st.sampled_from([Reason.BUYER, Reason.EXPIRY]))
    def cancel_behind(self, which: int, reason: Reason) -> None:
        """Cancel an order without Stripe's knowledge, as when its answer was wrong or lost."""
        at_rest = Order.objects.pending().exclude(attempts__state="processing")
        at_rest = at_rest.exclude(pk__in=Review.objects.open().values("order"))
        order = pick(at_rest.order_by("pk"), which)
        orders.cancel(order=order, reason=reason, cause="", at=now())
        order.attempts.live().update(state="closed", closed_as="canceled")

    def darken(self, dies_later: int | None, fails: str | None) -> None:
        if dies_later is not None:
            self.die(later=dies_later)
        if fails and self.scene.fails:
            self.fail(kind=fails, path=self.scene.fails)

    def hear_news(self, *, newest_first: bool = False) -> None:
        news = [event for event in _handled() if event["id"] not in self.heard]
        for event in news if newest_first else news[::-1]:
            self._deliver(event)
        self.work()

    def tick(self) -> None:
        """Do what the clock has the shop do, and the jobs that it queues."""
        for task in PERIODIC:
            task(0)
        self.work()

    def clear_up(self) -> None:
        """End all bad weather; count what was met of it."""
        for path, times in (self.failing - self._faults()).items():
            self.told[f"met {path}"] += times
        requests.delete(f"{self.sandbox.url}/_sandbox/faults", timeout=10).raise_for_status()
        settings.FAULT_POINT = ""

    def _faults(self) -> Counter[str]:
        """Return on which paths faults wait for a request; others wait for a payment or refund."""
        waiting = self.sandbox.get("faults")["data"]
        return Counter(fault["path"] for fault in waiting if fault["path"])

    def _deliver(self, event: dict[str, Any]) -> None:
        assert support.deliver(event, client=self.web) == 200
        self.heard.add(event["id"])


def _handled() -> list[dict[str, Any]]:
    """Return the events that Stripe sends us, newest first."""
    return [event for event in support.all_events() if event["type"] in HANDLED]
