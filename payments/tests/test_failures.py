"""The table of failures: what pages say, services raise and jobs do about each of Stripe's."""

from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import reverse

from orders import links
from orders.models import Order, Status
from orders.tests.factories import PendingOrderFactory
from payments import gateway
from payments.failures import stripe_failures
from payments.models import PaymentAttempt
from payments.retries import seconds_until_retry
from payments.services import attempts
from payments.services.attempts import open_attempt
from payments.services.settling import StaleRead
from payments.tests import support

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("failure", "status", "retry_after"),
    [
        (gateway.Busy, 429, "30"),
        (gateway.Unreachable, 503, "30"),
        (gateway.ReplayedFailure, 503, "30"),
        (gateway.KeyInUse, 503, "30"),
        (StaleRead, 503, "30"),
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


BUSY = "Busy just now"
AWAY = "The payment service does not answer"
CLOSED = "Payment is not available"
OUR_BUG = "Something went wrong on our side"
# What Stripe does, what the page says with which status, what the service raises, and whether a job
# waits for it to pass.
WEATHER = [
    pytest.param("rate_limit", 429, BUSY, gateway.Busy, True, id="429"),
    pytest.param("refuse", 503, AWAY, gateway.Unreachable, True, id="unreachable"),
    pytest.param("drop_answer", 503, AWAY, gateway.Unreachable, True, id="no answer"),
    pytest.param("error_before", 503, AWAY, gateway.Unreachable, True, id="5xx"),
    pytest.param("conflict", 503, AWAY, gateway.Unreachable, True, id="key in use"),
    pytest.param("forbidden", 503, CLOSED, gateway.NotAvailable, True, id="permission"),
    pytest.param("", 500, OUR_BUG, gateway.Refused, False, id="invalid request"),
]


@pytest.mark.parametrize(("fault", "status", "words", "error", "passes"), WEATHER)
def test_whatever_stripe_does_the_order_stands_and_can_be_paid_later(
    sandbox: Any,
    settings: Any,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    status: int,
    words: str,
    error: type[Exception],
    passes: bool,
) -> None:
    cache.clear()
    monkeypatch.setattr(attempts, "_KEY_IN_USE_SECONDS", 0.1)
    at = support.stripe_now()
    by_page, by_service = PendingOrderFactory(at=at), PendingOrderFactory(at=at)
    pay = reverse("payments:pay", args=[by_page.number, links.sign(by_page.number)])
    if fault:
        sandbox.fault(kind=fault, method="POST", times=None)
    else:
        settings.PAYMENT_METHODS = ["beads"]

    answer = client.post(pay)
    with pytest.raises(error) as raised:
        open_attempt(order_id=by_service.pk, at=at, kind=PaymentAttempt.Kind.INTENT)

    assert (answer.status_code, answer.get("Retry-After")) == (
        status,
        None if status == 500 else "30",
    )
    assert words in answer.content.decode()
    assert (seconds_until_retry(raised.value, 100) is not None) is passes
    statuses = Order.objects.values_list("status", flat=True)
    assert list(statuses) == [Status.PENDING, Status.PENDING]
    sandbox.clear_faults()
    if passes:
        assert client.post(pay).status_code == 303
        assert len(support.stripe_get("checkout/sessions")["data"]) == 1
