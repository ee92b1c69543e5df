"""The table of failures, for pages: each failure of Stripe has its own words and status."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client

from payments import gateway
from payments.failures import stripe_failures
from payments.services.settling import StaleRead

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
