"""The world that the machine moves, and what a step in it is.

A step may be refused, meet bad weather at Stripe, or die at a fault point: none of it is a failure.
A failure is any other exception, and an invariant that does not hold afterwards.
"""

import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import requests
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.tests.factories import UserFactory
from cart.models import Cart
from payments import gateway, tasks
from payments.retries import PASSING, seconds_until_retry
from payments.services.attempts import NotPayable
from payments.services.canceling import CannotCancel
from payments.services.fulfilling import CannotHandOver
from payments.services.manual import CannotBook
from payments.services.placing import AlreadyPaid, CannotPlace
from payments.services.refunds import CannotRefund
from payments.services.reviews import CannotAccept
from payments.tests import support
from shop.services import InsufficientStock
from shop.tests.factories import VariantFactory

STAFF = 7
# Which one of what there is by then; taken modulo how many there are.
ANY = st.integers(0, 3)
# How buyers pay; most do it well.
HOW = st.sampled_from(["good", "good", "good", "debit", "asks", "declined"])
T = TypeVar("T")


class Killed(BaseException):
    """The process died here, as by SIGKILL: nothing that catches errors catches this."""


class NothingThere(Exception):
    """There is none of what the step is about."""


REFUSED: tuple[type[BaseException], ...] = (
    AlreadyPaid,
    CannotAccept,
    CannotBook,
    CannotCancel,
    CannotHandOver,
    CannotPlace,
    CannotRefund,
    InsufficientStock,
    NotPayable,
    NothingThere,
    gateway.GatewayError,
    *PASSING,
    Killed,
)

# What there is, so that no step is wasted on what there is not; and what grows when things happen.
_COUNTS = {
    "orders": "orders_order",
    "pending": "orders_order WHERE status = 'pending'",
    "paid": "orders_order WHERE status = 'paid'",
    "captures": "payments_ledgerentry WHERE kind = 'capture'",
    "reviews": "orders_review WHERE resolved_at IS NULL",
    "jobs": "procrastinate_jobs WHERE status = 'todo' AND task_name NOT LIKE '%mirror%'",
    "story": "orders_orderevent",
    "money": "payments_ledgerentry",
    "movements": "shop_stockmovement",
    "attempts": "payments_paymentattempt WHERE state IN ('created', 'open', 'processing')",
    "refunds": "payments_refund WHERE state IN ('created', 'pending', 'requires_action')",
    "events": "payments_inboxevent WHERE finished_at IS NULL",
    "handled": "payments_inboxevent",
    "mails": "orders_ordermail",
}
_SEEN = "SELECT " + ", ".join(f"(SELECT count(*) FROM {what})" for what in _COUNTS.values())


def step(needs: str = "", **drawn: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """Make a method a step of the machine, tried only when there is what it needs."""

    def decorate(method: Callable[..., None]) -> Any:
        @wraps(method)
        def survived(world: "World", **arguments: Any) -> None:
            world.is_sound = False
            with suppress(*REFUSED):
                method(world, **arguments)

        made = rule(**drawn)(survived)  # type: ignore[call-overload]
        return precondition(lambda world: bool(world.seen[needs]))(made) if needs else made

    return decorate


class World(RuleBasedStateMachine):
    """Two empty carts, a guest's and a user's; three variants of few units, one free; Stripe.

    All of it in one transaction that is rolled back in the end.
    """

    sandbox: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self._transaction = transaction.atomic()
        # As Django's own TestCase marks its transactions: durable ones may stand in them.
        self._transaction._from_testcase = True  # type: ignore[attr-defined]
        self._transaction.__enter__()
        self.is_sound = False
        self.seen: dict[str, int] = {}
        self.heard: set[str] = set()
        self.questions: list[str] = []
        self.refunds: list[str] = []
        self.disputes: list[str] = []

    @initialize(
        bought=st.lists(HOW, max_size=3),
        then=st.sampled_from(["", "disputed", "charged again", "refunded"]),
        is_heard=st.booleans(),
        is_deaf=st.booleans(),
        is_lucky=st.booleans(),
        shipping_minor=st.sampled_from([490, 0]),
    )
    def open(
        self,
        bought: list[str],
        then: str,
        is_heard: bool,
        is_deaf: bool,
        is_lucky: bool,
        shipping_minor: int,
    ) -> None:
        """Begin with orders that were paid for in these ways, and heard of or not.

        In the end a deaf shop is sent no webhooks; bad luck is how banks decide then.
        """
        self.is_deaf, self.is_lucky = is_deaf, is_lucky
        self._settings = override_settings(SHIPPING_FLAT_MINOR=shipping_minor)
        self._settings.enable()
        settings.FAULT_POINT = ""
        self.sandbox.post("reset")
        Path(settings.CLOCK_OFFSET_FILE).unlink(missing_ok=True)
        cache.clear()
        self.variants = [
            VariantFactory(on_hand=4),
            VariantFactory(on_hand=3, price_minor=9_99),
            VariantFactory(on_hand=2, price_minor=0),
        ]
        self.user = UserFactory()
        self.carts = [
            Cart.objects.create(created_at=support.stripe_now(), user=user)
            for user in (None, self.user)
        ]
        support.endpoint_row()
        tasks.read_events(0)
        self.begin(bought, then, is_heard=is_heard)

    def begin(self, bought: list[str], then: str, *, is_heard: bool) -> None:
        """Let these have been bought, and that have become of the first."""

    def teardown(self) -> None:
        """Let all come to rest and judge it, unless a step has failed already."""
        try:
            if self.is_sound:
                self.end()
        finally:
            self._settings.disable()
            settings.FAULT_POINT = ""
            transaction.set_rollback(True)
            self._transaction.__exit__(None, None, None)

    def end(self) -> None:
        """Come to rest and judge."""

    def look(self) -> bool:
        """See what there is; tell whether anything happened since the last look."""
        before = self.seen
        with connection.cursor() as cursor:
            cursor.execute(_SEEN)
            self.seen = dict(zip(_COUNTS, cursor.fetchone() or (), strict=True))
        return self.seen != before

    def stripe(self, path: str, **fields: object) -> Any:
        """Have something happen at Stripe; return it, or None when it does not fit there."""
        answer = requests.post(f"{self.sandbox.url}/_sandbox/{path}", json=fields, timeout=10)
        if 400 <= answer.status_code < 500:
            return None
        answer.raise_for_status()
        return answer.json()

    def payments(self) -> list[dict[str, Any]]:
        """Return what the sandbox's books say of each payment; no fault strikes this."""
        found: list[dict[str, Any]] = self.sandbox.get("books")["payments"]
        return found

    def intents(self, *statuses: str) -> list[str]:
        """Return the intents in these states."""
        return [p["intent"] for p in self.payments() if p["intent_status"] in statuses]

    def work(self, *, newest_first: bool = False) -> None:
        """Run every job that waits, and those that they queue; what fails for now waits on."""
        tried: set[int] = set()
        while row := _waiting(tried, newest_first):
            tried.add(row.pk)
            try:
                support.run_job(row)
            except Killed:
                return
            except (gateway.GatewayError, *PASSING) as error:
                if seconds_until_retry(error, row.attempts) is None:
                    raise
                _sql("UPDATE procrastinate_jobs SET attempts = attempts + 1 WHERE id = %s", row.pk)
            else:
                _sql("DELETE FROM procrastinate_jobs WHERE id = %s", row.pk)


def _waiting(tried: set[int], newest_first: bool) -> ProcrastinateJob | None:
    waiting = ProcrastinateJob.objects.filter(status="todo").exclude(pk__in=tried)
    # It copies for dj-stripe, slowly, and nothing in the shop decides by its copies.
    waiting = waiting.exclude(task_name="payments.tasks.mirror_event")
    return waiting.order_by("-pk" if newest_first else "pk").first()


def _sql(sql: str, pk: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, [pk])


def die(pid: int, how: int) -> None:
    """Stand in for os.kill: the process of the test has to live on."""
    assert (pid, how) == (os.getpid(), signal.SIGKILL)
    settings.FAULT_POINT = ""
    raise Killed


def pick(found: Iterable[T], which: int) -> T:
    """Return one of those found; none is as good as a step that was refused."""
    choice = list(found)
    if not choice:
        raise NothingThere
    return choice[which % len(choice)]
