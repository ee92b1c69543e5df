"""`manage.py audit`: what it says, how it ends, and what `--fix` mends."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from orders import services as orders
from orders.models import Order, Review, Status
from payments.audit import checks
from payments.models import PaymentAttempt
from payments.services import manual
from payments.services.manual import Entry
from payments.tests import support
from payments.tests.audits import audit, execute, unguarded
from payments.tests.money_back import learn_fee, paid_order
from shop.models import Variant
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def paid(sandbox: Any) -> Order:
    order = paid_order(sandbox)
    learn_fee(sandbox, order)
    return order


@pytest.fixture
def waiting(sandbox: Any) -> Order:
    return support.checkout(support.cart_with(VariantFactory(on_hand=10))).order


def queued(name: str) -> list[dict[str, Any]]:
    jobs = ProcrastinateJob.objects.filter(status="todo", task_name=f"payments.tasks.{name}")
    return list(jobs.order_by("pk").values_list("args", flat=True))


def test_a_line_for_each_check_and_a_verdict(paid: Order) -> None:
    code, said = audit("--stripe")

    assert (code, said.splitlines()[-1]) == (0, "All is as it must be.")
    assert len(said.splitlines()) == len(checks.CHECKS) + 2


def test_the_command_names_all_in_json_and_ends_with_one(waiting: Order) -> None:
    execute("UPDATE shop_variant SET on_hand = on_hand + 1")

    code, said = audit("--json")

    report = json.loads(said)
    assert (code, report["ok"]) == (1, False)
    assert [check["name"] for check in report["checks"]] == [c.name for c in checks.CHECKS]
    (broken,) = [check for check in report["checks"] if check["count"]]
    variant = Variant.objects.get()
    assert broken == {
        "name": "stock_moved",
        "invariant": 1,
        "title": "both counters are the sums of their movements",
        "offenders": [
            {
                "what": f"variant {variant.sku}",
                "why": f"on hand {variant.on_hand}, reserved 1; movements say "
                f"{variant.on_hand - 1}, 1",
            }
        ],
        "count": 1,
    }


def test_where_stripe_is_away_the_json_is_whole_and_the_end_is_two(
    sandbox: Any, waiting: Order
) -> None:
    execute("UPDATE shop_variant SET on_hand = on_hand + 1")
    sandbox.fault(kind="refuse", times=None)

    code, said = audit("--json", "--stripe")

    report = json.loads(said)
    assert (code, report["ok"]) == (2, False)
    assert report["error"] == "Stripe could not be asked: Unreachable."
    assert [check["name"] for check in report["checks"] if check.get("count")] == ["stock_moved"]
    assert report["checks"][-1] == {
        "name": "stripe",
        "invariant": 5,
        "title": "the ledger is what Stripe says",
        "offenders": [],
    }


def test_where_stripe_is_away_the_text_tells_no_verdict(sandbox: Any, waiting: Order) -> None:
    sandbox.fault(kind="refuse", times=None)

    code, said = audit("--stripe")

    assert (code, len(said.splitlines())) == (2, len(checks.CHECKS))


def test_a_long_list_is_cut_in_the_text(waiting: Order) -> None:
    for _ in range(25):
        VariantFactory(on_hand=1)
    execute("UPDATE shop_variant SET on_hand = on_hand + 1")

    code, said = audit()

    assert code == 1
    assert "  and 6 more (--json lists all)" in said.splitlines()
    assert said.count("  variant ") == 20


def test_fix_mends_a_counter_that_two_sources_contradict(waiting: Order) -> None:
    execute("UPDATE shop_variant SET reserved = 0")

    assert audit("--fix")[0] == 0

    assert Variant.objects.get().reserved == 1


def test_fix_leaves_alone_what_might_be_true(waiting: Order) -> None:
    execute("UPDATE shop_variant SET on_hand = on_hand + 1")
    before = Variant.objects.get().on_hand

    assert audit("--fix")[0] == 1

    assert Variant.objects.get().on_hand == before


def test_fix_owes_a_missing_confirmation(paid: Order) -> None:
    paid.mails.all().delete()

    assert audit("--fix")[0] == 0

    assert paid.mails.get().kind == "confirmation"


def test_fix_asks_for_the_fees_that_are_not_known(paid: Order) -> None:
    capture = paid.ledger.get(kind="capture")
    unguarded("payments_ledgerentry")
    execute("DELETE FROM payments_ledgerentry WHERE kind = 'fee'")
    execute("UPDATE payments_ledgerentry SET booked_at = booked_at - interval '2 hours'")
    execute("ALTER TABLE payments_ledgerentry ENABLE TRIGGER USER")

    assert audit("--fix")[0] == 1

    assert queued("reconcile_attempt") == [{"attempt_id": capture.attempt_id}]
    support.run_jobs()
    assert paid.ledger.get(kind="fee").charge_id == capture.stripe_id
    assert audit()[0] == 0


def test_fix_ends_the_holds_that_nothing_keeps(sandbox: Any, waiting: Order) -> None:
    asked_about, on_its_way = (
        support.checkout(
            support.cart_with(VariantFactory()), buyer=support.a_buyer(f"{name}@example.com")
        ).order
        for name in ("review", "processing")
    )
    at = support.stripe_now()
    orders.open_review(
        order=asked_about, reason=Review.Reason.MISMATCH, cause="ch_1", detail="", at=at
    )
    PaymentAttempt.objects.filter(order=on_its_way).update(state="processing")
    Order.objects.update(hold_until=at - timedelta(minutes=20))

    assert audit("--fix")[0] == 1

    assert queued("expire_order") == [{"order_id": waiting.pk}]
    support.run_jobs()
    statuses = [support.reread(o).status for o in (waiting, asked_about, on_its_way)]
    assert statuses == [Status.CANCELED, Status.PENDING, Status.PENDING]
    assert audit()[0] == 0


def test_fix_closes_what_can_be_paid_though_the_order_is_paid(sandbox: Any, waiting: Order) -> None:
    attempt = waiting.attempts.get()
    PaymentAttempt.objects.filter(pk=attempt.pk).update(state="closed", closed_as="superseded")
    entry = Entry(waiting.total_minor, waiting.currency, uuid4())
    manual.book(order_id=waiting.pk, entry=entry, by=7, at=support.stripe_now())
    PaymentAttempt.objects.filter(pk=attempt.pk).update(state="open", closed_as="")
    sandbox.post("clock", advance=20 * 60)

    assert audit("--fix")[0] == 1

    assert queued("close_attempts") == [{"order_id": waiting.pk}]
    support.run_jobs()
    attempt.refresh_from_db()
    assert (attempt.state, attempt.closed_as) == ("closed", "superseded")
    assert audit()[0] == 0
