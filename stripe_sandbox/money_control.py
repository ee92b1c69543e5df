"""What the control API does to money that was paid: as staff in the dashboard, or as the banks.

GET  /_sandbox/objects/<kind>/<status>  the newest hundred; of payment_intent, refund, dispute
POST /_sandbox/refunds         {"payment_intent" or "charge", "amount"}: as from the dashboard
POST /_sandbox/refunds/<id>    {"outcome": see refunds.OUTCOMES, "reason": why it failed}
POST /_sandbox/disputes        {"payment_intent" or "charge", "amount", "reason"}: a dispute;
                               {"inquiry": true}: no more than a question;
                               {"withdraw": false}: its money is taken later
POST /_sandbox/disputes/<id>   {"action": see disputes.ACTIONS}
"""

import json
from typing import Any

from stripe_sandbox.disputes import ACTIONS, NETWORK_CODES
from stripe_sandbox.errors import no_such
from stripe_sandbox.lists import field_is
from stripe_sandbox.objects import public
from stripe_sandbox.params import Rule, boolean, choice, integer, text
from stripe_sandbox.params import fields as object_of
from stripe_sandbox.refund_endpoints import read_params
from stripe_sandbox.refunds import FAILURE_REASONS, OUTCOMES
from stripe_sandbox.store import Record
from stripe_sandbox.twin import Twin

_LISTED = ("payment_intent", "refund", "dispute")
DISPUTE_PARAMS: dict[str, Rule] = {
    "amount": integer(minimum=1),
    "charge": text,
    "inquiry": boolean,
    "payment_intent": text,
    "reason": choice(*NETWORK_CODES),
    "withdraw": boolean,
}


def list_by_status(twin: Twin, fields: Any) -> Record:
    """List what Stripe's API would list too, yet out of the weather's way."""
    twin.catch_up()
    if fields["kind"] not in _LISTED:
        raise KeyError(fields["kind"])
    found = twin.store.select(
        fields["kind"], field_is("status", fields["status"]), newest_first=True, limit=100
    )
    return {"data": [public(record) for record in found]}


def refund_in_dashboard(twin: Twin, fields: Any) -> Record:
    at = twin.catch_up()
    params = read_params(_as_in_a_form(fields))
    with twin.store.transaction():
        return public(twin.refunds.make(params, at=at))


def decide_refund(twin: Twin, fields: Any) -> Record:
    outcome, reason = fields["outcome"], fields.get("reason", "unknown")
    if outcome not in OUTCOMES:
        raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}")
    if reason not in FAILURE_REASONS:
        raise ValueError(f"reason must be one of {', '.join(FAILURE_REASONS)}")
    at = twin.catch_up()
    with twin.store.transaction():
        refund = _found(twin, "refund", fields["refund_id"])
        return public(twin.refunds.decide(refund, outcome, reason=reason, at=at))


def open_dispute(twin: Twin, fields: Any) -> Record:
    at = twin.catch_up()
    params = object_of(DISPUTE_PARAMS)("", _as_in_a_form(fields))
    with twin.store.transaction():
        return public(twin.disputes.open(params, at=at))


def move_dispute(twin: Twin, fields: Any) -> Record:
    action = fields["action"]
    if action not in ACTIONS:
        raise ValueError(f"action must be one of {', '.join(ACTIONS)}")
    at = twin.catch_up()
    with twin.store.transaction():
        dispute = _found(twin, "dispute", fields["dispute_id"])
        return public(twin.disputes.move(dispute, action, at=at))


def _as_in_a_form(fields: Any) -> dict[str, str]:
    """Return JSON values as the API's rules read them: as text."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in fields.items()
    }


def _found(twin: Twin, kind: str, object_id: str) -> Record:
    record = twin.store.find(kind, object_id)
    if record is None:
        raise no_such(kind, object_id, "id")
    return record
