"""What happens to a refund: made, succeeded, failed, canceled; and to the charge that it is of.

Every function runs in the caller's store transaction, so that two refunds of one charge take turns.
"""

from dataclasses import dataclass

from stripe_sandbox import balance
from stripe_sandbox.currencies import format_amount
from stripe_sandbox.errors import ApiError, invalid, no_such
from stripe_sandbox.events import NOBODY, Events, Origin
from stripe_sandbox.faults import Faults
from stripe_sandbox.lists import all_of_charge
from stripe_sandbox.objects import new_id
from stripe_sandbox.payments import Happened
from stripe_sandbox.store import Record, Store

# What may follow a state; the others are final.
MOVES = {
    "pending": {"requires_action", "succeeded", "failed", "canceled"},
    "requires_action": {"succeeded", "failed", "canceled"},
    "succeeded": {"failed"},
}
OUTCOMES = ("requires_action", "succeeded", "failed", "canceled")
_FAILURES = """lost_or_stolen_card expired_or_canceled_card charge_for_pending_refund_disputed
    insufficient_funds declined merchant_request unknown"""
FAILURE_REASONS = tuple(_FAILURES.split())
_ACTION_SECONDS = 45 * 24 * 60 * 60


@dataclass(frozen=True)
class Refunds:
    store: Store
    events: Events
    faults: Faults

    def make(self, params: Record, *, at: int, origin: Origin = NOBODY) -> Record:
        """Give back a charge, or `amount` of it, by typed parameters; raises ApiError.

        A card's refund has succeeded at once, a bank debit's is pending until it is decided. The
        fault `refund_pending` lets the account lack the money: no money moves before it succeeds.
        """
        charge = self._refundable(params)
        amount = _amount(params, charge)
        refund = _new(params, charge, amount, at)
        if self.faults.strike_refund(charge["id"]):
            refund |= {"status": "pending", "pending_reason": "insufficient_funds"}
        else:
            self._take(refund, at)
        self._count(charge, amount)
        self.store.save(refund)
        happened = [("refund.created", refund), ("charge.refunded", charge)]
        self.events.emit(happened, at, origin)
        return refund

    def decide(
        self,
        refund: Record,
        outcome: str,
        *,
        reason: str = "unknown",
        at: int,
        origin: Origin = NOBODY,
    ) -> Record:
        """Move a refund to `outcome`, `reason` being why it failed; raises ApiError."""
        if outcome not in MOVES.get(refund["status"], ()):
            message = f"A refund that is {refund['status']} cannot become {outcome}."
            raise ApiError(400, message, is_stored=True)
        for name in ("pending_reason", "next_action"):
            refund.pop(name, None)
        refund["status"] = outcome
        happened = _updated(refund)
        if outcome == "requires_action":
            refund["next_action"] = self._next_action(refund, at)
        elif outcome == "succeeded":
            self._take(refund, at)
        else:
            self._give_again(refund, at)
        if outcome == "failed":
            refund["failure_reason"] = reason
            happened.append(("refund.failed", refund))
        self.store.save(refund)
        self.events.emit(happened, at, origin)
        return refund

    def change(self, refund: Record, *, at: int, origin: Origin) -> Record:
        """Save a refund with new metadata."""
        self.store.save(refund)
        self.events.emit(_updated(refund), at, origin)
        return refund

    def fail_pending(self, charge_id: str, *, reason: str, at: int) -> None:
        """Let fail what is still on its way for this charge."""
        for refund in all_of_charge(self.store, "refund", charge_id):
            if refund["status"] == "pending":
                self.decide(refund, "failed", reason=reason, at=at)

    def _refundable(self, params: Record) -> Record:
        """Return the charge that the parameters mean; raises ApiError if no refund can be of it."""
        charge = charge_of(self.store, params)
        charge_id = charge["id"]
        if charge["status"] != "succeeded":
            raise ApiError(
                400, f"Charge {charge_id} did not succeed; it cannot be refunded.", is_stored=True
            )
        disputes = all_of_charge(self.store, "dispute", charge_id)
        if not all(dispute["is_charge_refundable"] for dispute in disputes):
            message = f"Charge {charge_id} has been charged back; cannot issue a refund."
            raise ApiError(400, message, code="charge_disputed", is_stored=True)
        if charge["refunded"]:
            message = f"Charge {charge_id} has already been refunded."
            raise ApiError(400, message, code="charge_already_refunded", is_stored=True)
        return charge

    def _take(self, refund: Record, at: int) -> None:
        """Take the money out of the balance, unless that was done."""
        if refund["balance_transaction"] is None:
            transaction = balance.refund(refund, at)
            self.store.save(transaction)
            refund["balance_transaction"] = transaction["id"]

    def _give_again(self, refund: Record, at: int) -> None:
        """Undo what the refund took from the balance and from its charge."""
        if refund["balance_transaction"]:
            transaction = balance.refund_failure(refund, at)
            self.store.save(transaction)
            refund["failure_balance_transaction"] = transaction["id"]
        self._count(self.store.get("charge", refund["charge"]), -refund["amount"])

    def _count(self, charge: Record, amount: int) -> None:
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
        self.store.save(charge)

    def _next_action(self, refund: Record, at: int) -> Record:
        email = self.store.get("charge", refund["charge"])["billing_details"]["email"]
        sent = {"email_sent_at": at, "email_sent_to": email}
        shown = {"email_sent": sent, "expires_at": at + _ACTION_SECONDS}
        return {"type": "display_details", "display_details": shown}


def charge_of(store: Store, params: Record) -> Record:
    """Return the charge that `charge` or `payment_intent` names; raises ApiError."""
    if "charge" in params and "payment_intent" in params:
        raise invalid("You may only specify one of these parameters: charge, payment_intent.")
    if "charge" in params:
        return _named(store, "charge", params["charge"], "charge")
    if "payment_intent" not in params:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or"
            " charge."
        )
    intent = _named(store, "payment_intent", params["payment_intent"], "payment_intent")
    if intent["status"] != "succeeded":
        message = (
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
        )
        raise ApiError(400, message, is_stored=True)
    return store.get("charge", intent["latest_charge"])


def _named(store: Store, kind: str, object_id: str, param: str) -> Record:
    record = store.find(kind, object_id)
    if record is None:
        raise no_such(kind, object_id, param)
    return record


def _amount(params: Record, charge: Record) -> int:
    left: int = charge["amount_captured"] - charge["amount_refunded"]
    amount: int = params.get("amount", left)
    if amount > left:
        asked, rest = (format_amount(minor, charge["currency"]) for minor in (amount, left))
        message = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})"
        raise ApiError(400, message, param="amount", is_stored=True)
    return amount


def _updated(refund: Record) -> Happened:
    return [("refund.updated", refund), ("charge.refund.updated", refund)]


def _new(params: Record, charge: Record, amount: int, at: int) -> Record:
    is_of_card = charge["id"].startswith("ch_")
    refund = {
        "id": new_id("re_" if is_of_card else "pyr_"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": at,
        "currency": charge["currency"],
        "metadata": params.get("metadata", {}),
        "payment_intent": charge["payment_intent"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded" if is_of_card else "pending",
        "transfer_reversal": None,
    }
    if not is_of_card:
        return refund | {"pending_reason": "processing"}
    destination = {
        "reference_status": "pending",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    return refund | {"destination_details": {"card": destination, "type": "card"}}
