"""The endpoints of refunds."""

from typing import Any

from stripe_sandbox.call import Call
from stripe_sandbox.errors import ApiError, no_such
from stripe_sandbox.lists import PAGE_PARAMS, field_is, page
from stripe_sandbox.params import (
    Rule,
    boolean,
    changed_metadata,
    choice,
    fields,
    integer,
    metadata,
    metadata_changes,
    not_here,
    only,
    text,
)
from stripe_sandbox.store import Record

_no_balance = not_here("its customers have no balance")
# The names are all that Stripe's API document lists, which a test holds.
CREATE_PARAMS: dict[str, Rule] = {
    "amount": integer(minimum=1),
    "charge": text,
    "currency": _no_balance,
    "customer": _no_balance,
    "instructions_email": not_here("its refunds need no e-mail"),
    "metadata": metadata,
    "origin": _no_balance,
    "payment_intent": text,
    "reason": choice("duplicate", "fraudulent", "requested_by_customer"),
    "refund_application_fee": only(False, boolean),
    "reverse_transfer": only(False, boolean),
}
UPDATE_PARAMS: dict[str, Rule] = {"metadata": metadata_changes}


def read_params(raw: Record) -> Record:
    """Return typed parameters of a new refund; raises ApiError."""
    read: dict[str, Any] = fields(CREATE_PARAMS)("", raw)
    return read


def create(call: Call) -> Record:
    at = call.twin.catch_up()
    params = read_params(call.params)
    return call.view(call.twin.refunds.make(params, at=at, origin=call.origin))


def list_of_charge(call: Call, charge_id: str) -> Record:
    params = call.read({name: rule for name, rule in PAGE_PARAMS.items() if name != "created"})
    if call.twin.store.find("charge", charge_id) is None:
        raise no_such("charge", charge_id, "charge")
    conditions = field_is("charge", charge_id)
    return call.views(page(call.twin.store, "refund", call.path, params, conditions))


def update(call: Call, refund_id: str) -> Record:
    at = call.twin.catch_up()
    refund = _existing(call, refund_id)
    changes = call.read(UPDATE_PARAMS)
    if "metadata" in changes:
        refund["metadata"] = changed_metadata(refund["metadata"], changes["metadata"])
    return call.view(call.twin.refunds.change(refund, at=at, origin=call.origin))


def cancel(call: Call, refund_id: str) -> Record:
    """Only a refund that waits for the buyer can be canceled by the merchant."""
    at = call.twin.catch_up()
    call.read({})
    refund = _existing(call, refund_id)
    if refund["status"] != "requires_action":
        message = f"A refund that is {refund['status']} cannot be canceled."
        raise ApiError(400, message, is_stored=True)
    return call.view(call.twin.refunds.decide(refund, "canceled", at=at, origin=call.origin))


def _existing(call: Call, refund_id: str) -> Record:
    refund = call.twin.store.find("refund", refund_id)
    if refund is None:
        raise no_such("refund", refund_id, "id")
    return refund
