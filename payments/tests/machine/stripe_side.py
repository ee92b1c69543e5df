"""What happens at Stripe without the shop: banks decide, staff use its dashboard, it errs."""

from contextlib import suppress

from hypothesis import strategies as st

from payments.models import Refund
from payments.tests.machine.world import ANY, NothingThere, World, pick, step

SOME = st.sampled_from([None, None, 1_00, 9_99])
REFUND_ENDS = ["succeeded", "failed", "canceled", "requires_action"]
DISPUTE_MOVES = ["submit", "escalate", "close", "win", "win", "lose", "withdraw", "reinstate"]


class Banks(World):
    @step("debits", which=ANY, outcome=st.sampled_from(["succeeded", "failed"]))
    def decide_debit(self, which: int, outcome: str) -> None:
        self.stripe(f"bank_debits/{pick(self.intents('processing'), which)}", outcome=outcome)
        self.debits.pop()

    @step("orders", which=ANY, amount=SOME)
    def refund_in_dashboard(self, which: int, amount: int | None) -> None:
        asked: dict[str, object] = {"payment_intent": pick(self.intents("succeeded"), which)}
        made = self.stripe("refunds", **asked | ({"amount": amount} if amount else {}))
        self.refunds.append(made["id"])

    @step("refunded", which=ANY, outcome=st.sampled_from(REFUND_ENDS))
    def decide_refund(self, which: int, outcome: str) -> None:
        ours = Refund.objects.exclude(stripe_id=None).values_list("stripe_id", flat=True)
        known = sorted({*self.refunds, *(stripe_id for stripe_id in ours if stripe_id)})
        self.stripe(f"refunds/{pick(known, which)}", outcome=outcome)

    @step("orders", which=ANY, amount=SOME, inquiry=st.booleans(), withdraw=st.booleans())
    def dispute(self, which: int, amount: int | None, inquiry: bool, withdraw: bool) -> None:
        asked: dict[str, object] = {"payment_intent": pick(self.intents("succeeded"), which)}
        asked |= {"inquiry": inquiry, "withdraw": withdraw and not inquiry}
        made = self.stripe("disputes", **asked | ({"amount": amount} if amount else {}))
        self.disputes.append(made["id"])

    @step("disputes", which=ANY, action=st.sampled_from(DISPUTE_MOVES))
    def move_dispute(self, which: int, action: str) -> None:
        self.stripe(f"disputes/{pick(self.disputes, which)}", action=action)

    @step("charges_to_come", which=ANY)
    def charge_again(self, which: int) -> None:
        self.stripe("second_charges", payment_intent=pick(self.intents("succeeded"), which))
        self.charges_to_come -= 1

    def decide_all(self) -> None:
        """Let every bank come to its end, well or badly."""
        for intent in self.intents("processing"):
            self._decide(f"bank_debits/{intent}", outcome=self._said())
        for refund in Refund.objects.unfinished().exclude(stripe_id=None):
            self._decide(f"refunds/{refund.stripe_id}", outcome=self._said())
        for dispute in self.disputes:
            self._decide(f"disputes/{dispute}", action="win" if self.is_lucky else "lose")

    def _said(self) -> str:
        return "succeeded" if self.is_lucky else "failed"

    def _decide(self, path: str, **how: str) -> None:
        with suppress(NothingThere):
            self.stripe(path, **how)
