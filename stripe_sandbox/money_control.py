"""What the control API does to money that was paid: as staff in the dashboard, or as the banks.

POST /_sandbox/refunds         {"payment_intent" or "charge", "amount"}: as from the dashboard
POST /_sandbox/refunds/<id>    {"outcome": see refunds.OUTCOMES, "reason": why it failed}
"""

from typing import Any

from stripe_sandbox.errors import no_such
from stripe_sandbox.objects import public
from stripe_sandbox.refund_endpoints import read_params
from stripe_sandbox.refunds import FAILURE_REASONS, OUTCOMES
from stripe_sandbox.store import Record
from stripe_sandbox.twin import Twin


def refund_in_dashboard(twin: Twin, fields: Any) -> Record:
    at = twin.catch_up()
    params = read_params({name: str(value) for name, value in fields.items()})
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


def _found(twin: Twin, kind: str, object_id: str) -> Record:
    record = twin.store.find(kind, object_id)
    if record is None:
        raise no_such(kind, object_id, "id")
    return record
