"""Processes killed at the worst moment: one effect each, the order can go on, and the books agree.

Every fault point of the payment floor is one at which a process is killed here, by SIGKILL.
"""

import ast
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core import mail
from django.core.management import call_command
from django.test import Client
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from orders.models import Order, OrderMail, Status
from orders.tests.factories import ADDRESS
from payments.models import InboxEvent, LedgerEntry, PaymentAttempt
from payments.queue import enqueue
from payments.services import reconciliation
from payments.tasks import end_overdue_holds
from payments.tests import money_back, support
from payments.tests.browsing import cookie_of
from payments.tests.processes import PROJECT, hidden_fields, run_code, start_worker, web
from shop.clock import now
from shop.models import Variant
from shop.tests.factories import VariantFactory
from shop.tests.waiting import wait_until

# What runs here is measured elsewhere.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.no_cover]

# The rest has crash tests of its own, in these files.
TESTED_IN = (
    "backoffice/tests/test_erasing.py",
    "backoffice/tests/test_imports.py",
    "payments/tests/test_provision_webhook.py",
    "shop/tests/test_renditions.py",
)
ELSEWHERE = {
    "endpoints:after-stripe",
    "endpoints:before-delete",
    "erasing:between-steps",
    "imports:between-products",
    "renditions:before-row",
}


@dataclass
class Shop:
    """A shop with two units of one book, and what its processes need."""

    sandbox: Any
    environment: Mapping[str, str]
    variant: Variant = field(default_factory=lambda: VariantFactory(on_hand=2, price_minor=2_000))

    def ordered(self) -> PaymentAttempt:
        return support.checkout(support.cart_with(self.variant))

    def paid(self) -> Order:
        return money_back.paid_order(self.sandbox, self.variant)

    def hear(self) -> None:
        """Have Stripe tell all it has to tell; the jobs wait."""
        for event in reversed(self.sandbox.events()):
            support.deliver(event)

    def come_back(self) -> None:
        """Do what workers do that were started again, an hour of the clock's rounds included."""
        held = ProcrastinateJob.objects.filter(status="doing")
        # As `rescue_stalled_jobs` does; the clock brings these again.
        held.exclude(queueing_lock=None).update(status="failed")
        held.update(status="todo")
        run_jobs()
        self.sandbox.post("clock", advance=61 * 60)
        for job in ("end_overdue_holds", "ask_after_attempts", "ask_after_refunds"):
            enqueue(job, timestamp=0)
        reconciliation.read_events(at=now())
        run_jobs()


def run_jobs() -> None:
    """Run what is queued but copies for dj-stripe, and the one that only a worker can run."""
    support.run_jobs(but=("mirror_event", "rescue_stalled_jobs"))


@pytest.fixture
def shop(sandbox: Any, process_environment: Mapping[str, str], tmp_path: Path) -> Shop:
    environment = dict(process_environment) | {"EMAIL_URL": f"filemail:///{tmp_path}"}
    return Shop(sandbox, environment)


def a_payment(shop: Shop) -> None:
    attempt = shop.ordered()
    shop.sandbox.pay(attempt.url)
    shop.hear()


def a_payment_that_nobody_told_of(shop: Shop) -> None:
    attempt = shop.ordered()
    shop.sandbox.pay(attempt.url)
    enqueue("read_events", timestamp=0)


def an_overdue_order(shop: Shop) -> None:
    shop.ordered()
    shop.sandbox.post("clock", advance=44 * 60)
    # Its page is still open at Stripe.
    Order.objects.update(hold_until=now())
    end_overdue_holds.func(0)


def a_refund(shop: Shop) -> None:
    order = shop.paid()
    money_back.ask(order, order.total_minor, quantities=units_of(order), restock=True)


def a_refund_that_stripe_refuses(shop: Shop) -> None:
    order = shop.paid()
    shop.sandbox.dispute(money_back.intent_of(order))
    money_back.ask(order, order.total_minor)


def a_refund_whose_key_is_spoiled(shop: Shop) -> None:
    order = shop.paid()
    all_of_it: dict[str, Any] = {"quantities": units_of(order), "restock": True}
    # Stripe repeats its failure under this key for ever, and its list knows of no refund.
    money_back.unanswered(shop.sandbox, order, order.total_minor, fault="error_before", **all_of_it)
    shop.sandbox.post("clock", advance=11 * 60)


def a_dispute(shop: Shop) -> None:
    order = shop.paid()
    shop.sandbox.dispute(money_back.intent_of(order))
    shop.hear()


def a_confirmation(shop: Shop) -> None:
    attempt = shop.ordered()
    shop.sandbox.pay(attempt.url)
    shop.hear()
    support.run_jobs(but=("send_mail", "mirror_event"))


def units_of(order: Order) -> dict[int, int]:
    return {line.pk: line.quantity for line in order.lines.all()}


@dataclass(frozen=True)
class Ending:
    """What is true once all has come to rest, however often it was begun."""

    status: Status
    money: list[tuple[str, int]]
    stock: tuple[int, int]


# Of one unit and its shipping.
TOTAL = 2_490
PAID = Ending(Status.PAID, [("capture", TOTAL)], (1, 0))
CANCELED = Ending(Status.CANCELED, [], (2, 0))
REFUNDED = Ending(Status.REFUNDED, [("capture", TOTAL), ("refund", -TOTAL)], (2, 0))
DISPUTED = Ending(Status.PAID, [("capture", TOTAL), ("dispute", -TOTAL)], (1, 0))
# By fault point: what a worker does when it is killed there, and how it all ends.
IN_WORKERS: dict[str, tuple[Callable[[Shop], None], Ending]] = {
    "settling:money-booked": (a_payment, PAID),
    "settling:before-commit": (a_payment, PAID),
    "inbox:before-commit": (a_payment, PAID),
    "reconciliation:before-checkpoint": (a_payment_that_nobody_told_of, PAID),
    "attempts:ended-at-stripe": (an_overdue_order, CANCELED),
    "holds:before-commit": (an_overdue_order, CANCELED),
    "refunds:before-stripe": (a_refund, REFUNDED),
    "refunds:after-stripe": (a_refund, REFUNDED),
    "refunds:money-booked": (a_refund, REFUNDED),
    "refunds:before-commit": (a_refund, REFUNDED),
    "refunds:refusal-noted": (a_refund_that_stripe_refuses, DISPUTED),
    "refunds:replaced": (a_refund_whose_key_is_spoiled, REFUNDED),
    "disputes:before-commit": (a_dispute, DISPUTED),
    "mail:sent": (a_confirmation, PAID),
}


@pytest.mark.parametrize("fault_point", IN_WORKERS)
def test_a_worker_that_is_killed_leaves_one_effect(shop: Shop, fault_point: str) -> None:
    begin, ending = IN_WORKERS[fault_point]
    begin(shop)

    with start_worker(shop.environment, fault_point) as killed:
        assert killed.wait(timeout=60) == -signal.SIGKILL
    shop.come_back()

    assert_ended(shop, ending)


def assert_ended(shop: Shop, ending: Ending) -> None:
    """Check the one order, its money, its stock, and that nothing is amiss anywhere."""
    order = Order.objects.get()
    shop.variant.refresh_from_db()
    money = list(order.ledger.exclude(kind="fee").values_list("kind", "amount_minor"))
    assert order.status == ending.status
    assert money == ending.money
    assert (shop.variant.on_hand, shop.variant.reserved) == ending.stock
    assert not PaymentAttempt.objects.live().exists()
    assert not InboxEvent.objects.exclude(state__in=["done", "ignored"]).exists()
    assert not OrderMail.objects.filter(sent_at=None).exists()
    call_command("audit", stripe=True, stdout=StringIO(), stderr=StringIO())


def test_a_mail_whose_sending_was_not_noted_is_sent_again_under_its_name(
    shop: Shop, tmp_path: Path
) -> None:
    a_confirmation(shop)

    with start_worker(shop.environment, "mail:sent") as killed:
        assert killed.wait(timeout=60) == -signal.SIGKILL
    shop.come_back()

    (file,) = tmp_path.glob("*.log")
    first = message_from_bytes(file.read_bytes().partition(b"\n-----")[0])
    (second,) = mail.outbox
    assert first["Message-ID"] == second.extra_headers["Message-ID"]


# By fault point: what staff or the buyer do when the process is killed there, in Python, and do
# again afterwards; and how it all ends.
CANCEL = (
    "from payments.services import canceling; from orders.models import Order, Reason;"
    "from shop.clock import now;"
    "canceling.cancel(order_id=Order.objects.get().pk, reason=Reason.BUYER, at=now())"
)
BOOK = (
    "from uuid import UUID; from payments.services import manual;"
    "from orders.models import Order; from shop.clock import now;"
    f"entry = manual.Entry(amount_minor={TOTAL}, currency='EUR', form_key=UUID(int=1));"
    "manual.book(order_id=Order.objects.get().pk, entry=entry, by=7, at=now())"
)
REFUND_REVIEW = (
    "from payments.services import reviews; from orders.models import Review;"
    "from shop.clock import now;"
    "reviews.refund(review_id=Review.objects.get().pk, by=7, at=now())"
)


def an_order(shop: Shop) -> None:
    shop.ordered()


def a_wrong_payment(shop: Shop) -> None:
    shop.sandbox.fault(kind="wrong_amount", by=-100, times=1)
    a_payment(shop)
    support.run_jobs()


GIVEN_BACK = Ending(Status.CANCELED, [("capture", TOTAL - 100), ("refund", 100 - TOTAL)], (2, 0))
BY_PEOPLE: dict[str, tuple[Callable[[Shop], None], str, Ending]] = {
    "canceling:before-commit": (an_order, CANCEL, CANCELED),
    "manual:attempts-closed": (an_order, BOOK, Ending(Status.PAID, [("manual", TOTAL)], (1, 0))),
    "manual:before-commit": (an_order, BOOK, Ending(Status.PAID, [("manual", TOTAL)], (1, 0))),
    "reviews:attempts-closed": (a_wrong_payment, REFUND_REVIEW, GIVEN_BACK),
    "reviews:before-commit": (a_wrong_payment, REFUND_REVIEW, GIVEN_BACK),
}


@pytest.mark.parametrize("fault_point", BY_PEOPLE)
def test_what_people_do_can_be_done_again_after_a_crash(shop: Shop, fault_point: str) -> None:
    begin, code, ending = BY_PEOPLE[fault_point]
    begin(shop)

    assert run_code(shop.environment, fault_point, code) == -signal.SIGKILL
    exec(code)  # noqa: S102  the same once more, here
    shop.come_back()

    assert_ended(shop, ending)


# By fault point: the orders and the sessions that a web process leaves when it is killed there.
IN_WEB = {
    "placing:before-commit": (0, 0),
    "placing:before-attempt": (1, 0),
    "attempts:before-stripe": (1, 0),
    "attempts:after-stripe": (1, 1),
}


@pytest.mark.parametrize("fault_point", IN_WEB)
def test_a_buyer_whose_order_killed_the_web_process_orders_once_and_pays(
    shop: Shop, client: Client, fault_point: str
) -> None:
    cart = support.cart_with(shop.variant)
    cookies = cookie_of(cart)
    form = ADDRESS | {"email": "reader@example.com"}

    with (
        web(shop.environment, fault_point, cookies) as visitor,
        pytest.raises(requests.ConnectionError),
    ):
        visitor.post("/checkout/", form | visitor.hidden_fields("/checkout/"))
    left = Order.objects.count(), len(sessions())
    client.cookies.load(cookies)
    shown = client.get("/checkout/").content.decode()
    answer = client.post("/checkout/", form | hidden_fields(shown))

    assert left == IN_WEB[fault_point]
    assert answer.status_code == 303
    (session,) = sessions()
    assert answer.headers["Location"] == session["url"]
    shop.sandbox.pay(session["url"])
    shop.hear()
    shop.come_back()
    assert_ended(shop, PAID)


def sessions() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = support.stripe_get("checkout/sessions")["data"]
    return found


def test_the_next_worker_takes_over_by_itself_what_a_killed_one_held(shop: Shop) -> None:
    a_payment(shop)

    with start_worker(shop.environment, "settling:before-commit") as killed:
        assert killed.wait(timeout=60) == -signal.SIGKILL
    assert not LedgerEntry.objects.exists()
    # Those of the clock, and those that were killed or did not begin.
    by_the_clock = {name.rpartition(".")[2] for name, _ in app.periodic_registry.periodic_tasks}
    assert queued() <= {"process_event"} | by_the_clock
    with start_worker(shop.environment) as worker:
        wait_until(lambda: set(InboxEvent.objects.values_list("state", flat=True)) == FINISHED)
        worker.terminate()

    order = Order.objects.get()
    assert [event.reason for event in order.events.all()] == ["placed", "capture"]
    assert order.ledger.filter(kind="capture").count() == 1


FINISHED = {"done", "ignored"}


def queued() -> set[str]:
    """Return the names of the jobs there are; one of a change that was rolled back is not."""
    names = ProcrastinateJob.objects.values_list("task_name", flat=True)
    return {name.rpartition(".")[2] for name in names}


def test_a_worker_waits_out_an_outage_of_stripe_longer_than_one_retry(shop: Shop) -> None:
    a_payment(shop)
    shop.sandbox.fault(kind="error_before", times=None)

    with start_worker(shop.environment) as worker:
        wait_until(lambda: InboxEvent.objects.filter(state="retrying", attempts__gte=2).exists())
        shop.sandbox.clear_faults()
        wait_until(lambda: Order.objects.get().status == Status.PAID)
        worker.terminate()
        assert worker.wait(timeout=30) == 0


def sources(*floors: str) -> Iterator[Path]:
    for floor in floors:
        for path in (PROJECT / floor).rglob("*.py"):
            if "tests" not in path.parts:
                yield path


# Steps that commit by themselves with no fault point inside, and why.
NO_POINT_INSIDE = {
    "attempts._close": "one row; a process dies before it, at attempts:ended-at-stripe",
    "attempts._current_attempt": "a process dies before it, at placing:before-attempt, and after"
    " it, at attempts:before-stripe",
}


def test_every_step_that_commits_by_itself_has_a_fault_point() -> None:
    steps = {
        f"{path.stem}.{node.name}": ast.unparse(node)
        for path in sources("orders", "payments")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and "atomic(durable=True)" in ast.unparse(node)
    }

    without = {name for name, code in steps.items() if "fault_point(" not in code}
    assert without == set(NO_POINT_INSIDE)


def test_every_fault_point_has_its_crash_and_its_row_in_the_manual() -> None:
    floors = ("accounts", "backoffice", "cart", "config", "orders", "payments", "shop")
    source = "".join(path.read_text() for path in sources(*floors))
    manual = (PROJECT / "docs/developing.md").read_text()
    in_code = re.findall(r'fault_point\(\s*"([^"]+)"', source)

    assert len(in_code) == len(set(in_code)) == len(re.findall(r"\bfault_point\(", source)) - 1
    assert set(in_code) == {*IN_WORKERS, *BY_PEOPLE, *IN_WEB, *ELSEWHERE}
    assert set(in_code) == set(re.findall(r"^\| `(\w+:[\w-]+)` \|", manual, re.MULTILINE))


def test_crashes_tested_elsewhere_are() -> None:
    tested = "".join((PROJECT / path).read_text() for path in TESTED_IN)

    assert [name for name in sorted(ELSEWHERE) if f'"{name}"' not in tested] == []
