"""Customers: made, changed, found, deleted, and named by a session."""

from typing import Any

import pytest
import stripe

from stripe_sandbox.tests.conftest import Twin
from stripe_sandbox.tests.sessions import charges_of, intent_of


def create(twin: Twin, **params: Any) -> stripe.Customer:
    return twin.sdk.v1.customers.create(params=params)  # type: ignore[arg-type]


def test_a_customer_is_made_changed_and_emptied(twin: Twin) -> None:
    made = create(
        twin,
        name="A. Reader",
        email="reader@example.com",
        address={"line1": "Pond 1", "country": "US"},
        metadata={"user": "1", "old": "x"},
    )

    params: Any = {"name": "", "phone": "+49 1", "metadata": {"old": "", "new": "y"}}
    twin.sdk.v1.customers.update(made.id, params=params)
    now = twin.sdk.v1.customers.retrieve(made.id)

    assert made.id.startswith("cus_")
    assert (now.name, now.phone, now.email) == (None, "+49 1", "reader@example.com")
    assert now.metadata is not None
    assert now.metadata.to_dict() == {"user": "1", "new": "y"}
    assert now.address is not None
    assert (now.address.line1, now.address.country, now.address.city) == ("Pond 1", "US", None)
    assert twin.event_types() == ["customer.updated", "customer.created"]


def test_a_deleted_customer_is_told_of_as_deleted_and_cannot_be_used(twin: Twin) -> None:
    made = create(twin)

    deleted = twin.sdk.v1.customers.delete(made.id)

    gone = {"id": made.id, "object": "customer", "deleted": True}
    assert deleted.to_dict() == gone
    assert twin.sdk.v1.customers.retrieve(made.id).to_dict() == gone
    assert twin.sdk.v1.customers.list().data == []
    for call in (twin.sdk.v1.customers.delete, twin.sdk.v1.customers.update):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            call(made.id)
        assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        twin.open_session(customer=made.id, customer_email=None)
    assert (refusal.value.http_status, refusal.value.param) == (400, "customer")
    assert twin.event_types() == ["customer.deleted", "customer.created"]


def test_customers_are_listed_newest_first_and_by_email(twin: Twin) -> None:
    ids = [create(twin, email=f"{name}@example.com").id for name in ("a", "b", "a")]

    listed = twin.sdk.v1.customers.list()
    found = twin.sdk.v1.customers.list(params={"email": "a@example.com"})

    assert [customer.id for customer in listed.data] == ids[::-1]
    assert [customer.id for customer in found.data] == [ids[2], ids[0]]


def test_a_session_for_a_customer_knows_the_email_and_hands_the_customer_on(twin: Twin) -> None:
    customer = create(twin, email="known@example.com")

    session = twin.open_session(customer=customer.id, customer_email=None)
    page = twin.get(f"/c/pay/{session.id}")
    twin.pay(session.url)

    assert 'value="known@example.com"' in page.text
    intent = intent_of(twin, session.id)
    (charge,) = charges_of(twin, intent.id)
    assert (session.customer, intent.customer, charge.customer) == (customer.id,) * 3
    expanded = twin.sdk.v1.checkout.sessions.retrieve(session.id, params={"expand": ["customer"]})
    assert isinstance(expanded.customer, stripe.Customer)
    assert expanded.customer.email == "known@example.com"


@pytest.mark.parametrize(
    ("changes", "param"),
    [({"email": "nobody"}, "email"), ({"balance": 1}, "balance"), ({"nonsense": "1"}, "nonsense")],
)
def test_what_is_wrong_is_refused(twin: Twin, changes: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        create(twin, **changes)

    assert (refusal.value.http_status, refusal.value.param) == (400, param)
    assert twin.event_types() == []
