"""The log: a line per request and per job, tied by the request's id; a failure is told once."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.tests.factories import UserFactory
from config import logs
from orders import links
from orders.models import Order
from orders.tests.factories import PendingOrderFactory
from payments import gateway
from payments.models import InboxEvent, PaymentAttempt
from payments.queue import enqueue
from payments.services import attempts
from payments.tests import support
from payments.tests.browsing import order_by_form, visitor
from shop.tests.factories import VariantFactory

REQUEST_ID = "9f86d081-proxy.1"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What was logged since the last call, each line read as JSON."""
    (handler,) = [h for h in logging.getLogger().handlers if isinstance(h, logs.Stderr)]
    stream = StringIO()
    usual = handler.setStream(stream)
    assert usual is not None

    def read() -> list[dict[str, Any]]:
        written = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        return [json.loads(line) for line in written.splitlines()]

    yield read
    handler.setStream(usual)


def buyer_with_cart() -> Client:
    return visitor(support.cart_with(VariantFactory()), headers={"X-Request-ID": REQUEST_ID})


@pytest.mark.django_db
def test_a_request_is_one_line_without_its_query(lines: Lines) -> None:
    answer = Client(headers={"X-Request-ID": REQUEST_ID}).get("/search/?q=reader@example.com")

    (line,) = lines()
    assert answer["X-Request-ID"] == REQUEST_ID
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("timestamp"))
    assert 0 < line.pop("duration_ms") < 60_000
    assert line == {
        "level": "info",
        "logger": "config.logs",
        "event": "request",
        "request_id": REQUEST_ID,
        "method": "GET",
        "path": "/search/",
        "status": 200,
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    "given",
    ["", "short", "x" * 65, "has a space", 'quote"inside', "new\nline-line", "ümlaut-ümlaut"],
)
def test_an_id_that_is_not_sane_is_replaced(given: str, lines: Lines) -> None:
    answer = Client(headers={"X-Request-ID": given}).get("/health")

    assert re.fullmatch("[0-9a-f]{32}", answer["X-Request-ID"])
    assert [line["request_id"] for line in lines()] == [answer["X-Request-ID"]]


@pytest.mark.django_db
def test_the_user_is_named_by_id_once_he_is_known(lines: Lines) -> None:
    user = UserFactory()
    client = Client()
    client.force_login(user)

    client.get("/cart/")
    client.get("/health")

    assert [line.get("user_id") for line in lines()] == [user.pk, None]


@pytest.mark.django_db
def test_the_link_to_an_order_does_not_leak(lines: Lines) -> None:
    order = PendingOrderFactory()

    answer = Client().get(links.path(order))

    (line,) = lines()
    assert answer.status_code == 200
    assert (line["path"], line["order_number"]) == (f"/orders/{order.number}/***/", order.number)


@pytest.mark.django_db
def test_a_failure_tells_its_traceback_once_and_the_request_has_its_line(lines: Lines) -> None:
    order = PendingOrderFactory()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orders_orderline RENAME TO lost")

    answer = Client(raise_request_exception=False).get(links.path(order))

    failure, line = lines()
    assert answer.status_code == 500
    assert (failure["level"], failure["logger"]) == ("error", "django.request")
    assert failure["event"] == f"Internal Server Error: /orders/{order.number}/***/"
    assert 'ProgrammingError: relation "orders_orderline" does not exist' in failure["exception"]
    assert (line["event"], line["status"]) == ("request", 500)
    assert line["request_id"] == failure["request_id"]
    assert "exception" not in line


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/nowhere/", {}, 404),
        ("/", {"Host": "robots.example"}, 400),
    ],
)
def test_what_is_refused_is_one_line(
    path: str, headers: dict[str, str], status: int, lines: Lines
) -> None:
    Client(headers=headers).get(path)

    assert [(line["event"], line["status"]) for line in lines()] == [("request", status)]


@pytest.mark.django_db
def test_from_the_checkout_to_the_mail_the_lines_are_tied_together(
    lines: Lines, sandbox: Any
) -> None:
    client = buyer_with_cart()

    order_by_form(client)

    order, attempt = Order.objects.get(), PaymentAttempt.objects.get()
    _page, placed = lines()
    assert (placed["path"], placed["status"]) == ("/checkout/", 303)
    assert (placed["order_number"], placed["payment_attempt_id"]) == (order.number, attempt.pk)

    sandbox.pay(attempt.url)
    support.deliver(next(e for e in sandbox.events() if e["type"].endswith("completed")))
    event = InboxEvent.objects.get()
    job = ProcrastinateJob.objects.get(task_name="payments.tasks.process_event")
    (delivered,) = lines()
    assert (delivered["status"], delivered["stripe_event_id"]) == (200, event.event_id)

    support.run_jobs()

    told = lines()
    first = told[0]
    assert (first["event"], first["task"], first["outcome"], first["job_id"], first["attempt"]) == (
        "job",
        "payments.tasks.process_event",
        "done",
        job.pk,
        1,
    )
    assert (first["stripe_event_id"], first["order_number"]) == (event.event_id, order.number)
    # The jobs that this job queued carry on: one closed what was open, one sent the mail.
    assert {line["task"].rpartition(".")[2] for line in told} == {
        "process_event",
        "close_attempts",
        "empty_cart",
        "send_mail",
    }
    assert {line["request_id"] for line in told} == {delivered["request_id"]}
    (sent,) = [line for line in told if line["task"] == "orders.tasks.send_mail"]
    assert sent["order_number"] == order.number
    assert len(mail.outbox) == 1


@pytest.mark.django_db
def test_a_job_of_the_clock_is_silent_and_gives_an_id_to_those_it_queues(
    lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    PendingOrderFactory()
    enqueue("end_overdue_holds", timestamp=1)

    support.run_jobs()
    usual, _mail = lines()
    PendingOrderFactory()
    enqueue("end_overdue_holds", timestamp=2)
    with caplog.at_level(logging.DEBUG, logger="payments.tracing"):
        support.run_jobs()
    silent, queued, _mail = lines()

    assert usual["task"] == queued["task"] == "payments.tasks.expire_order"
    assert (silent["task"], silent["level"]) == ("payments.tasks.end_overdue_holds", "debug")
    assert re.fullmatch("[0-9a-f]{32}", silent["request_id"])
    assert queued["request_id"] == silent["request_id"] != usual["request_id"]


@pytest.mark.django_db
def test_a_job_that_fails_says_why_and_stripes_own_request_id(lines: Lines, sandbox: Any) -> None:
    client = buyer_with_cart()
    order_by_form(client)
    attempt = PaymentAttempt.objects.get()
    sandbox.pay(attempt.url)
    support.deliver(next(e for e in sandbox.events() if e["type"].endswith("completed")))
    sandbox.fault(kind="rate_limit", path="/v1/checkout/sessions/")
    lines()

    with pytest.raises(Exception, match="RateLimitError"):
        support.run_jobs()

    refused, failed = lines()
    assert (refused["event"], refused["error"]) == ("stripe call failed", "RateLimitError")
    assert re.fullmatch("req_[0-9A-Za-z]+", refused["stripe_request_id"])
    assert (failed["event"], failed["level"]) == ("job", "warning")
    assert (failed["outcome"], failed["error"]) == ("failed", "Busy: RateLimitError")
    assert failed["stripe_event_id"] == refused["stripe_event_id"]


@pytest.mark.django_db
def test_a_refusal_names_the_parameter_that_stripe_found_wrong(lines: Lines, sandbox: Any) -> None:
    order = PendingOrderFactory()
    lines()

    with pytest.raises(gateway.Refused):
        attempts.open_attempt(order_id=order.pk, at=order.placed_at)

    (refused,) = lines()
    assert (refused["status"], refused["param"]) == (400, "expires_at")


def test_a_line_that_cannot_be_written_quotes_nothing() -> None:
    handler = logs.Stderr(StringIO())
    args = ("reader@example.com",)

    handler.handle(logging.LogRecord("shop", logging.INFO, "shop/x.py", 7, "%d", args, None))

    assert json.loads(handler.stream.getvalue()) == {
        "level": "error",
        "event": "a line could not be logged: TypeError",
        "place": "shop/x.py:7",
    }


def test_a_full_disk_does_not_undo_what_the_line_is_about() -> None:
    # Line by line, as stderr is written.
    full = Path("/dev/full").open("w", buffering=1)  # noqa: SIM115

    logs.Stderr(full).handle(logging.makeLogRecord({"msg": "an order was placed"}))

    # What could not be written cannot be at the end either.
    with pytest.raises(OSError, match="No space left"):
        full.close()


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match="json or console, not 'xml'"):
        logs.settings(style="xml", level="INFO")


@pytest.mark.parametrize("name", ["gunicorn.error", "django.request", "procrastinate.worker", "x"])
def test_everybodys_lines_pass_the_one_handler(name: str) -> None:
    logger: logging.Logger | None = logging.getLogger(name)
    handlers: list[logging.Handler] = []
    while logger is not None:
        handlers += logger.handlers
        logger = logger.parent if logger.propagate else None

    assert [type(h) for h in handlers if h.__module__.startswith(("config", "logging"))] == [
        logs.Stderr
    ]
