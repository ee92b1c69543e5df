"""What happens to a dispute: a buyer's bank asks about a charge, or takes its money back.

Every function runs in the caller's store transaction. Source: https://docs.stripe.com/disputes
"""

from dataclasses import dataclass

from stripe_sandbox import balance
from stripe_sandbox.errors import ApiError
from stripe_sandbox.events import Events
from stripe_sandbox.lists import all_of_charge
from stripe_sandbox.objects import new_id
from stripe_sandbox.payments import Happened
from stripe_sandbox.refunds import Refunds, charge_of
from stripe_sandbox.store import Record, Store

# What a bank may do, and the status that it leads to from another.
MOVES = {
    "submit": {
        "warning_needs_response": "warning_under_review",
        "needs_response": "under_review",
    },
    "escalate": {
        "warning_needs_response": "needs_response",
        "warning_under_review": "needs_response",
    },
    "close": {
        "warning_needs_response": "warning_closed",
        "warning_under_review": "warning_closed",
    },
    "win": {"needs_response": "won", "under_review": "won"},
    "lose": {"needs_response": "lost", "under_review": "lost"},
}
ACTIONS = (*MOVES, "withdraw", "reinstate")
_CLOSED = ("warning_closed", "won", "lost")
# A charge can be refunded while its bank only asks, and when the money has come again.
_REFUNDABLE = ("warning_needs_response", "warning_under_review", "warning_closed", "won")
# Visa's numbers for Stripe's reasons.
NETWORK_CODES = {
    "credit_not_processed": "13.6",
    "duplicate": "12.6.1",
    "fraudulent": "10.4",
    "general": "10.4",
    "product_not_received": "13.1",
    "product_unacceptable": "13.3",
    "subscription_canceled": "13.2",
    "unrecognized": "10.4",
}
_DAY = 24 * 60 * 60
_DAYS_TO_ANSWER = 10
_EVIDENCE = """
    access_activity_log billing_address cancellation_policy cancellation_policy_disclosure
    cancellation_rebuttal customer_communication customer_email_address customer_name
    customer_purchase_ip customer_signature duplicate_charge_documentation
    duplicate_charge_explanation duplicate_charge_id product_description receipt refund_policy
    refund_policy_disclosure refund_refusal_explanation service_date service_documentation
    shipping_address shipping_carrier shipping_date shipping_documentation
    shipping_tracking_number uncategorized_file uncategorized_text
"""


@dataclass(frozen=True)
class Disputes:
    store: Store
    events: Events
    refunds: Refunds

    def open(self, params: Record, *, at: int) -> Record:
        """Dispute a charge, or `amount` of it, or only inquire; raises ApiError.

        An inquiry moves no money, nor does a dispute without `withdraw` before it is told to.
        """
        charge_id = charge_of(self.store, params)["id"]
        is_inquiry = params.get("inquiry", False)
        if not is_inquiry:
            self._stop_refunds(charge_id, at)
        charge = self.store.get("charge", charge_id)
        left = self._left(charge)
        amount = params.get("amount", left)
        if not 0 < amount <= left:
            raise ApiError(400, f"Of charge {charge_id} {left} can be disputed.", param="amount")
        charge["disputed"] = True
        dispute = _new(charge, amount, params.get("reason", "fraudulent"), at)
        happened = [("charge.dispute.created", dispute)]
        _become(dispute, "warning_needs_response" if is_inquiry else "needs_response")
        if params.get("withdraw", not is_inquiry):
            happened += self._withdraw(dispute, at)
        self.store.save(charge)
        self.store.save(dispute)
        self.events.emit(happened, at)
        return dispute

    def move(self, dispute: Record, action: str, *, at: int) -> Record:
        """Do one of ACTIONS; raises ApiError for one that does not fit the dispute's state.

        The merchant has answered (submit); the bank insists after an inquiry (escalate), or does
        not (close); decides (win, lose); takes the money or gives it again apart from these.
        """
        if action == "withdraw":
            happened = self._withdraw(dispute, at)
        elif action == "reinstate":
            happened = self._reinstate(dispute, at)
        else:
            happened = self._move(dispute, action, at)
        self.store.save(dispute)
        self.events.emit(happened, at)
        return dispute

    def _move(self, dispute: Record, action: str, at: int) -> Happened:
        before = dispute["status"]
        if before not in MOVES[action]:
            raise ApiError(400, f"{action} does not fit a dispute that is {before}.")
        happened: Happened = [("charge.dispute.updated", dispute)]
        _become(dispute, MOVES[action][before])
        if action == "submit":
            dispute["evidence_details"] |= {"has_evidence": True, "submission_count": 1}
        elif action == "escalate":
            happened += self._insist(dispute, at)
        elif action == "win" and len(dispute["balance_transactions"]) == 1:
            happened += self._reinstate(dispute, at)
        if dispute["status"] in _CLOSED:
            happened.append(("charge.dispute.closed", dispute))
        return happened

    def _insist(self, dispute: Record, at: int) -> Happened:
        """Take back after an inquiry what was not refunded since."""
        self._stop_refunds(dispute["charge"], at)
        left = self._left(self.store.get("charge", dispute["charge"]), but=dispute["id"])
        if not left:
            raise ApiError(400, "All was refunded since: the bank has nothing to take back.")
        dispute["amount"] = min(dispute["amount"], left)
        return self._withdraw(dispute, at)

    def _withdraw(self, dispute: Record, at: int) -> Happened:
        if dispute["status"].startswith("warning_") or dispute["balance_transactions"]:
            raise ApiError(400, "Funds are withdrawn once, and not for an inquiry.")
        return self._book(dispute, balance.dispute_withdrawal(dispute, at), "withdrawn")

    def _reinstate(self, dispute: Record, at: int) -> Happened:
        if len(dispute["balance_transactions"]) != 1:
            raise ApiError(400, "Only funds that were withdrawn are reinstated, and once.")
        return self._book(dispute, balance.dispute_reversal(dispute, at), "reinstated")

    def _book(self, dispute: Record, transaction: Record, what: str) -> Happened:
        self.store.save(transaction)
        dispute["balance_transactions"].append(transaction)
        return [(f"charge.dispute.funds_{what}", dispute)]

    def _stop_refunds(self, charge_id: str, at: int) -> None:
        """Let no refund that is still on its way pay the buyer a second time."""
        self.refunds.fail_pending(charge_id, reason="charge_for_pending_refund_disputed", at=at)

    def _left(self, charge: Record, but: str = "") -> int:
        """Return what was captured, not refunded, and is in no other dispute."""
        others = [
            dispute["amount"]
            for dispute in all_of_charge(self.store, "dispute", charge["id"])
            if dispute["id"] != but and dispute["status"] not in ("warning_closed", "won")
        ]
        left: int = charge["amount_captured"] - charge["amount_refunded"] - sum(others)
        return left


def _become(dispute: Record, status: str) -> None:
    dispute |= {"status": status, "is_charge_refundable": status in _REFUNDABLE}
    if "payment_method_details" in dispute:
        is_inquiry = status.startswith("warning_")
        details = dispute["payment_method_details"]["card"]
        details["case_type"] = "inquiry" if is_inquiry else "chargeback"


def _new(charge: Record, amount: int, reason: str, at: int) -> Record:
    """Return a dispute without its status; Stripe tells how it was paid for some methods only."""
    dispute = {
        "id": new_id("du_"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": at,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE.split()), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": (at // _DAY + _DAYS_TO_ANSWER) * _DAY - 1,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
    }
    if charge["payment_method_details"]["type"] == "card":
        card = {"brand": "visa", "network_reason_code": NETWORK_CODES[reason]}
        dispute["payment_method_details"] = {"card": card, "type": "card"}
    return dispute
