"""SIGTERM to a worker, whenever it comes: every job is run exactly once, by it or by the next."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from procrastinate.contrib.django.db_cleanup import close_db_connections
from procrastinate.contrib.django.models import ProcrastinateJob

from orders.models import Order
from payments.management.commands.worker import _worker_app
from payments.models import InboxEvent, LedgerEntry
from payments.tests import support
from payments.tests.processes import QUICK
from shop.tests.factories import VariantFactory
from shop.tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

PROJECT = Path(__file__).parents[2]
# More than one worker runs at a time.
PAYMENTS = 5
# Counts what no job can hide: every time that one is taken up.
COUNT_STARTS = """
CREATE TABLE job_starts (job_id bigint, task_name text);
CREATE FUNCTION count_start() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_starts VALUES (new.id, new.task_name);
    RETURN NULL;
END $$;
CREATE TRIGGER count_start AFTER UPDATE OF status ON procrastinate_jobs
FOR EACH ROW WHEN (new.status = 'doing') EXECUTE FUNCTION count_start();
"""
UNCOUNT_STARTS = """
DROP TABLE job_starts;
DROP FUNCTION count_start CASCADE;
"""


@pytest.fixture
def environment(process_environment: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(COUNT_STARTS)
    yield process_environment
    with connection.cursor() as cursor:
        cursor.execute(UNCOUNT_STARTS)


def start_worker(environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        cwd=PROJECT,
        env=dict(environment) | QUICK | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def queue_payments(sandbox: Any) -> None:
    """Have Stripe tell of payments whose processing takes three seconds each."""
    variant = VariantFactory(on_hand=PAYMENTS)
    for number in range(PAYMENTS):
        buyer = support.a_buyer(f"reader{number}@example.com")
        attempt = support.checkout(support.cart_with(variant), buyer=buyer)
        sandbox.pay(attempt.url)
    for event in support.all_events():
        if event["type"] == "checkout.session.completed":
            assert support.deliver(event) == 200
    sandbox.fault(kind="slow", path="/v1/checkout/sessions", seconds=3, times=None)


def is_working() -> bool:
    return ProcrastinateJob.objects.filter(
        task_name="payments.tasks.process_event", status="doing"
    ).exists()


def finish_with_another_worker(sandbox: Any, environment: Mapping[str, str]) -> None:
    sandbox.clear_faults()
    with start_worker(environment) as worker:
        wait_until(lambda: InboxEvent.objects.filter(state="done").count() == PAYMENTS)
        worker.terminate()
        assert worker.wait(timeout=20) == 0


def assert_every_job_was_run_once() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(DISTINCT job_id) FROM job_starts"
            " WHERE task_name = 'payments.tasks.process_event'"
        )
        assert cursor.fetchone() == (PAYMENTS, PAYMENTS)
    assert LedgerEntry.objects.filter(kind="capture").count() == PAYMENTS
    assert Order.objects.filter(status="paid").count() == PAYMENTS


def test_a_worker_told_to_stop_even_twice_finishes_what_it_runs_and_leaves_the_rest(
    sandbox: Any, environment: Mapping[str, str]
) -> None:
    queue_payments(sandbox)

    with start_worker(environment) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "worker: ready\n"
        wait_until(is_working)
        for _ in range(2):
            worker.terminate()
            assert worker.stdout.readline() == "worker: stopping\n"
        assert worker.wait(timeout=20) == 0

    done = InboxEvent.objects.filter(state="done").count()
    assert 0 < done < PAYMENTS
    assert not ProcrastinateJob.objects.exclude(status="todo").exists()
    finish_with_another_worker(sandbox, environment)
    assert_every_job_was_run_once()


@pytest.mark.parametrize("is_ready", [False, True])
def test_a_worker_stopped_while_it_starts_takes_no_job_along(
    sandbox: Any, environment: Mapping[str, str], is_ready: bool
) -> None:
    queue_payments(sandbox)

    with start_worker(environment) as worker:
        assert worker.stdout is not None
        if is_ready:
            assert worker.stdout.readline() == "worker: ready\n"
        os.kill(worker.pid, signal.SIGTERM)
        assert worker.wait(timeout=20) in {0, -signal.SIGTERM}

    finish_with_another_worker(sandbox, environment)
    assert_every_job_was_run_once()


def test_no_job_runs_on_a_connection_that_has_broken_since_the_last_one() -> None:
    # After a restart of the database every job of such a thread would fail, for ever.
    assert close_db_connections in _worker_app().worker_defaults["task_middleware"]
