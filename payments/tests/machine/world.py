"""The world that the machine moves, and what a step in it is.

A step may be refused, meet bad weather at Stripe, or die at a fault point: none of it is a failure.
A failure is any other exception, and an invariant that does not hold afterwards.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import requests
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client, override_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.tests.factories import UserFactory
from cart.models import Cart
from payments import gateway, tasks
from payments.retries import PASSING, seconds_until_retry
from payments.services.attempts import NotPayable
from payments.services.canceling import CannotCancel
from payments.services.fulfilling import CannotHandOver, CannotPutBack
from payments.services.manual import CannotBook
from payments.services.placing import AlreadyPaid, CannotPlace
from payments.services.refunds import CannotRefund
from payments.services.reviews import CannotAccept
from payments.tests import support
from payments.tests.machine.scenes import Scene
from shop.services import InsufficientStock
from shop.tests.factories import VariantFactory

STAFF = 7
# Which one of what there is by then; taken modulo how many there are.
ANY = st.integers(0, 3)
# How buyers pay; most do it well.
HOW = st.sampled_from(["good", "good", "good", "debit", "asks", "declined"])
# How a call to Stripe may fail.
FAILURES = [
    "drop_answer",
    "cut",
    "refuse",
    "error_before",
    "error_after",
    "rate_limit",
    "conflict",
    "forbidden",
    "stale_read",
    "pay_at_expire",
]
T = TypeVar("T")


class Killed(BaseException):
    """The process died here, as by SIGKILL: nothing that catches errors catches this."""


class NothingThere(Exception):
    """There is none of what the step is about, or it does not fit there."""


class NextPoint:
    """Stands for the fault point at which a process dies: one that is reached, and no earlier one.

    Of the points that are reached and at which none has died, `later` are passed first.
    """

    def __init__(self, died: list[str], later: int) -> None:
        self._died, self._later = died, later

    def __eq__(self, point: object) -> bool:
        if point in self._died:
            return False
        self._later -= 1
        if self._later < 0:
            self._died.append(str(point))
        return self._later < 0

    __hash__ = None  # type: ignore[assignment]


REFUSED: tuple[type[BaseException], ...] = (
    AlreadyPaid,
    CannotAccept,
    CannotBook,
    CannotCancel,
    CannotHandOver,
    CannotPlace,
    CannotPutBack,
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
    "guests": "cart_cart WHERE user_id IS NULL AND merged_into_id IS NULL",
    "filled": "cart_cartline",
    "orders": "orders_order",
    "pending": "orders_order WHERE status = 'pending'",
    "cancelable": """orders_order AS o WHERE status = 'pending'
         AND NOT EXISTS (SELECT FROM orders_review WHERE order_id = o.id AND resolved_at IS NULL)
         AND NOT EXISTS (SELECT FROM payments_paymentattempt
                          WHERE order_id = o.id AND state = 'processing')""",
    "payable": """payments_paymentattempt
         WHERE state IN ('created', 'open') OR closed_as = 'canceled'""",
    "refunded": "payments_refund WHERE stripe_id IS NOT NULL",
    "paid": "orders_order WHERE status = 'paid'",
    "free": "orders_order WHERE status = 'paid' AND total_minor = 0",
    "lost": """orders_order AS o WHERE status = 'paid'
         AND EXISTS (SELECT FROM payments_dispute WHERE order_id = o.id AND status = 'lost')""",
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
# Each row that was written since the example began, in its one transaction.
_WRITES = """
    SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables
     WHERE relname ~ '^(cart|orders|payments|shop)_'
"""
_SEEN = f"SELECT ({_WRITES}), " + ", ".join(
    f"(SELECT count(*) FROM {what})" for what in _COUNTS.values()
)
STEPS: list[str] = []


def step(needs: str = "", **drawn: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """Make a method a step of the machine, tried only when there is what it needs.

    That is counted in the database, or noted by the world. What comes of the step is counted too.
    """

    def decorate(method: Callable[..., None]) -> Any:
        STEPS.append(method.__name__)

        @wraps(method)
        def survived(world: "World", **arguments: Any) -> None:
            world.is_sound = False
            deaths, outcome = len(world.died), "done"
            try:
                method(world, **arguments)
            except REFUSED:
                outcome = "refused"
            if len(world.died) > deaths:
                outcome = "killed"
                world.told[f"died at {world.died[-1]}"] += 1
            world.told[f"{method.__name__} {outcome}"] += 1

        made = rule(**drawn)(survived)  # type: ignore[call-overload]
        return precondition(lambda world: world.has(needs))(made) if needs else made

    return decorate


class World(RuleBasedStateMachine):
    """Two empty carts, a guest's and a user's; three variants of few units, one free; Stripe.

    All of it in one transaction that is rolled back in the end.
    """

    sandbox: ClassVar[Any]
    # What came of the steps of all examples.
    told: ClassVar[Counter[str]]
    scene: ClassVar[Scene]
    web: ClassVar[Client] = Client()

    def __init__(self) -> None:
        super().__init__()
        self._transaction = transaction.atomic()
        # As Django's own TestCase marks its transactions: durable ones may stand in them.
        self._transaction._from_testcase = True  # type: ignore[attr-defined]
        self._transaction.__enter__()
        self.is_sound = False
        self.seen: dict[str, int] = {}
        self.heard: set[str] = set()
        self.seed = self.writes = 0
        self.died: list[str] = []
        self.failing: Counter[str] = Counter()
        self.debits: list[str] = []
        self.questions: list[str] = []
        self.refunds: list[str] = []
        # Each costs many events: twice is as good as twenty times.
        self.charges_to_come = 2
        self.disputes: list[str] = []

    @initialize(
        bought=st.lists(HOW, max_size=1),
        is_heard=st.booleans(),
        is_deaf=st.booleans(),
        is_lucky=st.booleans(),
        shipping_minor=st.sampled_from([490, 0]),
        dies_later=st.none() | st.integers(0, 5),
        fails=st.none() | st.sampled_from(FAILURES),
        seed=st.integers(0, 99),
    )
    def open(
        self,
        bought: list[str],
        is_heard: bool,
        is_deaf: bool,
        is_lucky: bool,
        shipping_minor: int,
        dies_later: int | None,
        fails: str | None,
        seed: int,
    ) -> None:
        """Begin with orders that were paid for in these ways, and heard of or not.

        A process may be about to die, and a call about to fail, as it matters to the scene.
        In the end a deaf shop is sent no webhooks; bad luck is how banks decide then.
        """
        self.is_deaf, self.is_lucky = is_deaf, is_lucky
        self._settings = override_settings(
            SHIPPING_FLAT_MINOR=0 if self.scene.is_shipping_free else shipping_minor
        )
        self._settings.enable()
        settings.FAULT_POINT = ""
        self.seed = seed
        self.sandbox.post("reset", seed=seed)
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
        self.stranger = Client()
        self.stranger.force_login(UserFactory())
        self.refused_to_strangers: set[tuple[str, str]] = set()
        support.endpoint_row()
        tasks.read_events(0)
        self.begin(bought, is_heard=is_heard)
        self.darken(dies_later, fails)

    def begin(self, bought: list[str], *, is_heard: bool) -> None:
        """Let what the scene is about have happened, and these have been bought."""

    def darken(self, dies_later: int | None, fails: str | None) -> None:
        """Let a process be about to die, and a call about to fail."""

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

    def has(self, needs: str) -> bool:
        """Tell whether there is any of this."""
        return bool(self.seen[needs] if needs in _COUNTS else getattr(self, needs))

    def look(self) -> tuple[bool, bool]:
        """See what there is; tell whether any row was written since, and any happened upon."""
        writes, seen = self.writes, self.seen
        with connection.cursor() as cursor:
            cursor.execute(_SEEN)
            self.writes, *counts = cursor.fetchall()[0]
        self.seen = dict(zip(_COUNTS, counts, strict=True))
        return self.writes != writes, self.seen != seen

    def stripe(self, path: str, **fields: object) -> Any:
        """Have something happen at Stripe; return it. Raises NothingThere when it does not fit."""
        answer = requests.post(f"{self.sandbox.url}/_sandbox/{path}", json=fields, timeout=10)
        if 400 <= answer.status_code < 500:
            raise NothingThere
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
