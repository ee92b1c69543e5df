"""The design's table of failures, row by row: which test holds the page, the service and the job.

What no other file tests stands below: Stripe failing under each of the buyer's three buttons.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings

from cart.models import CartLine
from orders import links
from orders.models import Order, OrderEvent, Status
from payments import gateway
from payments.failures import stripe_failures
from payments.models import LedgerEntry, PaymentAttempt
from payments.retries import seconds_until_retry
from payments.services import attempts
from payments.services.settling import StaleRead
from payments.tests import support
from payments.tests.browsing import checkout_form, order_by_form, signed, title_of, visitor
from shop.tests.factories import VariantFactory
from shop.tests.locks import impatient

pytestmark = pytest.mark.django_db
PROJECT = Path(__file__).resolve().parents[2]


class Held(NamedTuple):
    """Where a row is tested: files below payments/tests unless they say otherwise."""

    page: str = ""
    service: str = ""
    job: str = ""
    api: str = ""


HERE = "test_failure_table.py::"
STRIPE_FAILS = f"{HERE}test_a_failure_under_a_button_is_told_and_changes_nothing"
TOLD = f"{HERE}test_the_service_says_how_stripe_failed"
RETRIED = f"{HERE}test_a_job_tries_again_as_long_as_the_failure_may_pass"
TABLE = {
    "a card is declined": Held(
        "test_standings.py::test_a_waiting_order_names_its_deadline_and_a_declined_card",
        "test_intents.py::test_a_declined_card_is_an_entry_in_the_story_and_the_intent_stays_open",
        "test_settling.py::"
        "test_a_declined_card_is_an_entry_in_the_story_and_the_buyer_may_try_again",
        api="test_api_orders.py::test_a_declined_card_leaves_the_order_payable",
    ),
    "Stripe: rate limit (429)": Held(
        STRIPE_FAILS,
        TOLD,
        RETRIED,
        api="test_api_orders.py::test_when_stripe_fails_nothing_is_lost_and_trying_again_is_safe",
    ),
    "Stripe: no answer, time-out, 5xx": Held(
        STRIPE_FAILS,
        TOLD,
        RETRIED,
        api="test_api_orders.py::test_when_stripe_fails_nothing_is_lost_and_trying_again_is_safe",
    ),
    "Stripe: our other request with the same key is running (409)": Held(
        f"{HERE}test_a_request_that_runs_already_is_waited_for_then_said_to_be_unanswered",
        "test_lost_answers.py::test_a_key_in_use_waits_for_the_other_request_and_then_gives_up",
        RETRIED,
        api="test_api_orders.py::test_a_request_that_runs_already_is_told_as_no_answer",
    ),
    "Stripe: key or rights refused (401, 403)": Held(
        STRIPE_FAILS,
        TOLD,
        RETRIED,
        api="test_api_orders.py::test_when_stripe_fails_nothing_is_lost_and_trying_again_is_safe",
    ),
    "Stripe: invalid request, key reused with other parameters": Held(
        f"{HERE}test_a_request_that_stripe_finds_wrong_is_our_fault",
        TOLD,
        RETRIED,
        api="test_api_orders.py::test_a_fault_of_ours_at_stripe_is_told_as_such",
    ),
    "Stripe: the e-mail address is none to it": Held(
        "test_checkout_form.py::"
        "test_an_address_that_cannot_be_used_is_said_beside_it_and_another_one_pays",
        f"{HERE}test_the_service_says_that_stripe_does_not_take_an_address",
        api="test_api_orders.py::test_an_address_that_stripe_does_not_take_is_told_beside_it",
    ),
    "Stripe: the session is no longer open": Held(
        f"{HERE}test_what_is_paid_already_is_shown_instead_of_canceled_or_replaced",
        "test_canceling.py::test_a_payment_made_while_stripe_is_asked_to_end_it_wins",
        "test_holds.py::test_a_payment_faster_than_the_end_of_the_hold_wins",
        api="test_api_orders.py::test_a_payment_that_was_faster_is_told_with_the_order",
    ),
    "a read is older than its event": Held(
        f"{HERE}test_a_read_older_than_stripes_refusal_changes_nothing",
        "test_ending_intents.py::"
        "test_an_end_that_is_refused_though_all_looks_open_is_asked_for_again",
        RETRIED,
        api="test_api_orders.py::test_a_read_older_than_stripes_refusal_changes_nothing",
    ),
    "a lock or the database is not to be had in time": Held(
        "config/tests/test_headers.py::test_a_lock_that_does_not_come_is_a_kind_503",
        f"{HERE}test_the_service_waits_for_a_lock_only_so_long",
        RETRIED,
        api="config/tests/test_api_manners.py::test_a_fault_of_ours_is_500_and_a_busy_database_503",
    ),
    "anything else": Held(
        "config/tests/test_error_pages.py::"
        "test_a_fault_of_ours_is_told_without_asking_the_database",
        job="test_retries.py::test_a_failure_of_our_own_is_tried_five_times",
        api="config/tests/test_api_manners.py::test_a_fault_of_ours_is_500_and_a_busy_database_503",
    ),
    "webhook: not signed for us, malformed, too large": Held(
        "test_webhooks.py::test_a_malformed_body_is_refused_though_signed",
        "test_webhooks.py::test_a_forged_or_stale_delivery_is_refused",
    ),
    "input is invalid": Held(
        "test_checkout_form.py::test_a_missing_field_is_said_beside_it_and_nothing_is_placed",
        "test_placing.py::test_more_lines_than_stripe_takes_are_refused",
        api="test_api_orders.py::test_what_is_missing_or_wrong_is_told_beside_its_field",
    ),
    "somebody else's, or unknown": Held(
        "test_order_pages.py::test_a_guests_link_can_neither_be_guessed_nor_altered",
        "test_order_pages.py::test_an_order_is_seen_by_its_owner_alone",
        api="test_api_orders.py::test_an_order_is_its_owners_and_its_tokens",
    ),
    "too many tries": Held(
        "test_checkout_form.py::test_placing_is_limited",
        api="config/tests/test_api_manners.py::test_too_many_requests_are_429_and_looking_is_free",
    ),
    "stock is short, or prices or cart have changed": Held(
        "test_checkout_form.py::test_a_shortage_names_the_book_and_how_many_are_left",
        "test_placing.py::test_a_price_that_rose_after_the_page_was_shown_places_nothing",
        api="test_api_orders.py::test_a_shortage_places_nothing_and_shows_what_is_left",
    ),
    "the order can no longer be paid": Held(
        "test_order_pages.py::test_pay_now_on_a_paid_order_leads_to_its_page",
        f"{HERE}test_an_order_that_cannot_be_paid_says_what_it_is_instead",
        api="test_api_orders.py::test_a_paid_order_takes_no_payment",
    ),
    "the client's own key: the same request again": Held(
        api="test_api_idempotency.py::test_the_same_request_is_answered_alike_and_done_once"
    ),
    "... another request under it, or the first one still runs": Held(
        api="test_api_idempotency.py::test_another_request_under_the_same_key_is_refused"
    ),
}

NO_SERVICE = {
    "anything else": "no service foresees it: the edges, page and job, catch it",
    "too many tries": "tries are counted before any service is called",
    "the client's own key: the same request again": "keys are the API's own, above any service",
    "... another request under it, or the first one still runs": "likewise",
}


def rows_of_the_design() -> dict[str, tuple[bool, bool, bool]]:
    """Return what the design's table names, and whether page, API and job meet it."""
    design = (PROJECT / "docs/design.md").read_text(encoding="utf-8")
    table = design[design.index("| what happened |") :].split("\n\n")[0]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
    return {what: (bool(page), bool(api), bool(job)) for what, page, api, job in cells}


def test_every_row_has_its_tests_and_every_test_is_there() -> None:
    rows = rows_of_the_design()
    named = [test for held in TABLE.values() for test in held if test]

    missing = []
    for test in named:
        name, _, function = test.partition("::")
        file = PROJECT / (name if "/" in name else f"payments/tests/{name}")
        if f"def {function}(" not in file.read_text(encoding="utf-8"):
            missing.append(test)

    assert missing == []
    assert list(TABLE) == list(rows)
    assert [what for what, held in TABLE.items() if not held.service] == list(NO_SERVICE)
    # Where the design has nothing to say, a test is welcome, but not asked for.
    assert [what for what, (page, _, _) in rows.items() if page and not TABLE[what].page] == []
    assert {what: api for what, (_, api, _) in rows.items()} == {
        what: bool(held.api) for what, held in TABLE.items()
    }
    assert {what: job for what, (_, _, job) in rows.items()} == {
        what: bool(held.job) for what, held in TABLE.items()
    }


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_KEY_IN_USE_SECONDS", 0.1)
    monkeypatch.setattr(attempts, "_KEY_IN_USE_STEP", 0.01)


Press = Callable[[], Any]


def checkout() -> Press:
    client = visitor(support.cart_with(VariantFactory()))
    form = checkout_form(client)
    return lambda: client.post("/checkout/", form)


def pay() -> Press:
    order = support.checkout(support.cart_with(VariantFactory())).order
    order.attempts.update(state="closed", closed_as="expired")
    return lambda: Client().post(signed("pay", order))


def cancel() -> Press:
    order = support.checkout(support.cart_with(VariantFactory())).order
    return lambda: Client().post(signed("cancel", order))


AWAY = "The payment service does not answer", "Trying again is safe: you cannot pay twice."
SAID = {
    "refuse": AWAY,
    "error_before": AWAY,
    "drop_answer": AWAY,
    "rate_limit": ("Busy just now", "your order are kept: please try again in a moment."),
    "forbidden": ("Payment is not available", "We have been told, and your cart is kept."),
}
NOT_CANCELED = "The order is not canceled yet", "Nothing has changed: please try again in a moment."


@pytest.mark.parametrize("button", [checkout, pay, cancel])
@pytest.mark.parametrize("kind", SAID)
def test_a_failure_under_a_button_is_told_and_changes_nothing(
    sandbox: Any, button: Callable[[], Press], kind: str
) -> None:
    press = button()
    sandbox.fault(kind=kind, method="POST", path="/v1/checkout/sessions", times=1)

    answer = press()

    status = 429 if kind == "rate_limit" else 503
    assert (answer.status_code, answer["Retry-After"]) == (status, "30")
    title, words = NOT_CANCELED if button is cancel else SAID[kind]
    assert title_of(answer) == title
    assert words in answer.content.decode()
    assert Order.objects.get().status == Status.PENDING
    assert CartLine.objects.count() == 1
    assert list(OrderEvent.objects.values_list("reason", flat=True)) == ["placed"]
    again = press()
    assert again.status_code == 303
    assert Order.objects.get().status == ("canceled" if button is cancel else "pending")
    sessions = support.stripe_get("checkout/sessions")["data"]
    assert len(sessions) == (2 if button is pay else 1)


@pytest.mark.parametrize("button", [checkout, pay])
def test_a_request_that_runs_already_is_waited_for_then_said_to_be_unanswered(
    sandbox: Any, button: Callable[[], Press]
) -> None:
    press = button()
    sandbox.fault(kind="conflict", path="/v1/checkout/sessions", times=1)

    assert press().status_code == 503

    answer = press()
    assert (answer.status_code, answer["Location"]) == (
        303,
        PaymentAttempt.objects.order_by("pk").reverse()[0].url,
    )


@pytest.mark.parametrize("button", [checkout, pay])
def test_a_request_that_stripe_finds_wrong_is_our_fault(
    sandbox: Any, button: Callable[[], Press]
) -> None:
    press = button()

    with override_settings(PAYMENT_METHODS=["shells"]):
        answer = press()

    assert (answer.status_code, title_of(answer)) == (500, "Something went wrong on our side")
    assert "shells" not in answer.content.decode()
    assert "Retry-After" not in answer
    assert Order.objects.get().status == Status.PENDING


def test_what_is_paid_already_is_shown_instead_of_canceled_or_replaced(sandbox: Any) -> None:
    variant, cart = VariantFactory(), support.cart_with(VariantFactory())
    attempt = support.checkout(cart)
    sandbox.pay(attempt.url)
    cart.lines.add(*support.cart_with(variant).lines.all())

    answer = order_by_form(visitor(cart))

    assert (answer.status_code, answer.headers["Location"]) == (303, links.path(attempt.order))
    assert Order.objects.get().status == Status.PAID
    assert Client().post(signed("cancel", attempt.order))["Location"] == links.path(attempt.order)
    assert Order.objects.get().status == Status.PAID


def test_a_read_older_than_stripes_refusal_changes_nothing(sandbox: Any) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    # Stripe refuses to end the session, as it is paid, and shows it as it was before.
    sandbox.fault(kind="stale_read", path="/v1/checkout/sessions", times=1)

    answer = Client().post(signed("cancel", attempt.order))

    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert title_of(answer) == NOT_CANCELED[0]
    assert support.reread(attempt.order).status == Status.PENDING
    assert Client().post(signed("cancel", attempt.order))["Location"] == links.path(attempt.order)
    assert support.reread(attempt.order).status == Status.PAID


@pytest.mark.parametrize(
    ("failure", "status", "retry_after"),
    [
        (gateway.Busy, 429, "30"),
        (gateway.Unreachable, 503, "30"),
        (gateway.ReplayedFailure, 503, "30"),
        (gateway.KeyInUse, 503, "30"),
        (gateway.NotAvailable, 503, "30"),
        (gateway.Refused, 500, None),
        (gateway.Missing, 500, None),
    ],
)
def test_a_failure_has_its_status(
    failure: type[Exception], status: int, retry_after: str | None
) -> None:
    request = Client().get("/").wsgi_request

    @stripe_failures
    def view(_request: HttpRequest) -> HttpResponse:
        raise failure("req_1")

    answer = view(request)

    assert (answer.status_code, answer.get("Retry-After")) == (status, retry_after)
    assert b"req_1" not in answer.content


@pytest.mark.parametrize("kind", [PaymentAttempt.Kind.CHECKOUT, PaymentAttempt.Kind.INTENT])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("rate_limit", gateway.Busy),
        ("refuse", gateway.Unreachable),
        ("error_before", gateway.Unreachable),
        ("drop_answer", gateway.Unreachable),
        ("forbidden", gateway.NotAvailable),
        ("", gateway.Refused),
    ],
)
def test_the_service_says_how_stripe_failed(
    sandbox: Any, kind: PaymentAttempt.Kind, fault: str, error: type[Exception]
) -> None:
    order = support.checkout(support.cart_with(VariantFactory())).order
    order.attempts.update(state="closed", closed_as="expired")
    if fault:
        sandbox.fault(kind=fault, method="POST", times=1)
    methods = ["card"] if fault else ["shells"]

    with override_settings(PAYMENT_METHODS=methods), pytest.raises(error):
        attempts.open_attempt(order_id=order.pk, at=support.stripe_now(), kind=kind)

    assert support.reread(order).status == Status.PENDING
    assert order.attempts.live().get().state == "created"


def test_the_service_says_that_stripe_does_not_take_an_address(sandbox: Any) -> None:
    with pytest.raises(gateway.BadEmail):
        support.checkout(
            support.cart_with(VariantFactory()), buyer=support.a_buyer("reader@localhost")
        )

    assert (Order.objects.get().status, PaymentAttempt.objects.get().state) == (
        "pending",
        "created",
    )


@pytest.mark.django_db(transaction=True)
def test_the_service_waits_for_a_lock_only_so_long(
    sandbox: Any, process_environment: Mapping[str, str]
) -> None:
    attempt = support.checkout(support.cart_with(VariantFactory()))
    sandbox.pay(attempt.url)
    settle = partial(attempts.reconcile, attempt=attempt, at=support.stripe_now())
    with psycopg.connect(process_environment["DATABASE_URL"]) as other:
        other.execute("SELECT FROM orders_order FOR NO KEY UPDATE")
        with impatient(), pytest.raises(OperationalError):
            settle()

    assert support.reread(attempt.order).status == Status.PENDING
    assert not LedgerEntry.objects.exists()
    settle()
    assert support.reread(attempt.order).status == Status.PAID


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (gateway.Busy(), 1500),
        (gateway.Unreachable(), 1500),
        (gateway.KeyInUse(), 1500),
        (gateway.NotAvailable(), 1500),
        (StaleRead(), 1500),
        (OperationalError(), 1500),
        (gateway.Refused(), 5),
        (ValueError(), 5),
    ],
)
def test_a_job_tries_again_as_long_as_the_failure_may_pass(error: Exception, tries: int) -> None:
    assert seconds_until_retry(error, tries - 2) is not None
    assert seconds_until_retry(error, tries - 1) is None


@pytest.mark.parametrize("status", ["paid", "canceled", "refunded"])
def test_an_order_that_cannot_be_paid_says_what_it_is_instead(sandbox: Any, status: str) -> None:
    order = support.checkout(support.cart_with(VariantFactory())).order
    Order.objects.update(status=status)

    with pytest.raises(attempts.NotPayable) as refusal:
        attempts.open_attempt(order_id=order.pk, at=support.stripe_now())

    assert refusal.value.order.status == status
    answer = Client().post(signed("pay", order))
    assert (answer.status_code, answer["Location"]) == (303, links.path(order))
