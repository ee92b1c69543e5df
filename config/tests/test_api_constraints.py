"""What the database itself refuses of the keys of the API, however it is written to."""

import pytest
from django.utils import timezone

from api.models import IdempotencyKey
from shop.tests.guards import Violation, assert_refused, guards

pytestmark = pytest.mark.django_db

VIOLATIONS = [
    Violation(IdempotencyKey, "api_idempotencykey_uuid_key", same=("uuid",)),
    Violation(IdempotencyKey, "idempotency_key_once", same=("key",)),
    Violation(IdempotencyKey, "idempotency_key_body_has_status", {"body": "{}"}),
    Violation(IdempotencyKey, "api_idempotencykey_status_check", {"status": -1}),
]


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_the_database_refuses(violation: Violation) -> None:
    row = IdempotencyKey.objects.create(
        caller="user:1", key="a", fingerprint="f", created_at=timezone.now()
    )

    assert_refused(violation, row, {"key": "b", "uuid": "6a3c8f5e-0d2b-4c61-9f3e-2a4f7c1b9d10"})


def test_every_guard_is_put_to_the_test() -> None:
    assert guards("api") == {violation.by for violation in VIOLATIONS}
