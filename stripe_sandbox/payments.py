"""What happens to a PaymentIntent, whoever began it: tried, asked about, paid, refused, canceled.

Every function saves what it changes, in the caller's store transaction, and returns the events of
it, which the caller emits together with his own.
"""

from dataclasses import dataclass

from stripe_sandbox import balance, cards, money_objects, objects
from stripe_sandbox.faults import Faults
from stripe_sandbox.store import Record, Store

Happened = list[tuple[str, Record]]

# What an intent says once the bank asks nothing of the buyer any more.
_NOT_ASKED: Record = {"next_action": None, "_challenge": None}


class NotAsked(Exception):
    """The bank no longer asks the buyer: answered, or another payment was tried since."""


class NotProcessing(Exception):
    """The intent waits for no bank."""


@dataclass(frozen=True)
class Payer:
    email: str
    name: str


@dataclass(frozen=True)
class Payments:
    store: Store
    faults: Faults

    def new_method(self, instrument: cards.Instrument, payer: Payer, at: int) -> Record:
        billing = money_objects.billing_details(payer.email, payer.name)
        method = money_objects.payment_method(instrument, billing, at)
        self.store.save(method)
        return method

    def attach(self, intent: Record, method: Record) -> None:
        """Choose what the next try will pay with."""
        intent["payment_method"] = method["id"]
        self.ask_anew(intent)

    def ask_anew(self, intent: Record) -> None:
        """Have a try to pay confirmed as it is now, whatever the bank may be asking."""
        has_method = intent["payment_method"] is not None
        intent |= {
            "status": "requires_confirmation" if has_method else "requires_payment_method",
            **_NOT_ASKED,
        }
        self.store.save(intent)

    def pay(
        self, intent: Record, method: Record, *, page_url: str, return_url: str | None, at: int
    ) -> Happened:
        """Charge a card, begin a bank debit, or let the bank ask first; `status` tells which.

        The bank asks at `page_url` and a challenge's id, and leads to `return_url` afterwards.
        """
        if method["_number"] == cards.ASKING_CARD:
            return self._ask(intent, method, page_url, return_url)
        return self._charge(intent, method, at, is_confirmed=False)

    def _charge(self, intent: Record, method: Record, at: int, *, is_confirmed: bool) -> Happened:
        decline = cards.DECLINES.get(method["_number"])
        if not decline:
            self._mistake(intent)
        charge = money_objects.charge(intent, method, at, is_confirmed=is_confirmed)
        intent["latest_charge"] = charge["id"]
        if decline:
            return self._fail(intent, charge, method, decline)
        intent |= {"payment_method": method["id"], "last_payment_error": None, **_NOT_ASKED}
        return self._accept(intent, charge, at)

    def _mistake(self, intent: Record) -> None:
        """Take another sum than was asked, if a fault says so."""
        asked = intent.get("_asked") or {name: intent[name] for name in ("amount", "currency")}
        if wrong := self.faults.strike_payment("wrong_amount", intent):
            intent |= {"amount": max(1, intent["amount"] + wrong.by), "_asked": asked}
        if wrong := self.faults.strike_payment("wrong_currency", intent):
            intent |= {"currency": wrong.currency, "_asked": asked}

    def _accept(self, intent: Record, charge: Record, at: int) -> Happened:
        if charge["status"] == "pending":
            intent["status"] = "processing"
            self._save(intent, charge)
            return [("charge.pending", charge), ("payment_intent.processing", intent)]
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        self._save(intent, charge)
        happened = [("charge.succeeded", charge), ("payment_intent.succeeded", intent)]
        if self.faults.strike_payment("second_charge", intent):
            happened += self.charge_again(intent, at=at)
        return happened

    def charge_again(self, intent: Record, *, at: int) -> Happened:
        """Charge a paid intent once more, as must not happen; it tells of the second charge."""
        first = self.store.get("charge", intent["latest_charge"])
        second = first | {
            "id": objects.new_id(first["id"][:3]),
            "amount_refunded": 0,
            "balance_transaction": None,
            "created": at,
            "disputed": False,
            "refunded": False,
            "_settles_at": at + money_objects.SETTLEMENT_SECONDS,
        }
        intent["latest_charge"] = second["id"]
        self._save(intent, second)
        return [("charge.succeeded", second)]

    def _fail(
        self, intent: Record, charge: Record, method: Record, decline: cards.Decline
    ) -> Happened:
        money_objects.fail(charge, decline)
        self.store.save(charge)
        return [("charge.failed", charge), *self._refuse(intent, method, decline, charge["id"])]

    def _refuse(
        self, intent: Record, method: Record, decline: cards.Decline, charge_id: str | None
    ) -> Happened:
        intent |= {
            "status": "requires_payment_method",
            "payment_method": None,
            "last_payment_error": money_objects.payment_error(decline, charge_id, method),
            **_NOT_ASKED,
        }
        self.store.save(intent)
        return [("payment_intent.payment_failed", intent)]

    def _ask(
        self, intent: Record, method: Record, page_url: str, return_url: str | None
    ) -> Happened:
        """Let the bank ask before anything is charged; it replaces an earlier challenge."""
        challenge_id = objects.new_id("", 24)
        redirect = {"return_url": return_url, "url": f"{page_url}/{challenge_id}"}
        intent |= {
            "status": "requires_action",
            "payment_method": method["id"],
            "last_payment_error": None,
            "next_action": {"type": "redirect_to_url", "redirect_to_url": redirect},
            "_challenge": challenge_id,
            "_return_url": return_url,
        }
        self.store.save(intent)
        return [("payment_intent.requires_action", intent)]

    def answer_bank(self, intent: Record, *, is_confirmed: bool, at: int) -> Happened:
        """Charge what the buyer confirms, or note that he did not."""
        method = self.store.get("payment_method", intent["payment_method"])
        if is_confirmed:
            return self._charge(intent, method, at, is_confirmed=True)
        return self._refuse(intent, method, cards.NOT_CONFIRMED, None)

    def decide_bank_debit(self, intent: Record, *, succeeds: bool, at: int) -> Happened:
        """Let the bank answer. Raises NotProcessing."""
        if intent["status"] != "processing":
            raise NotProcessing(intent["status"])
        charge = self.store.get("charge", intent["latest_charge"])
        if not succeeds:
            method = self.store.get("payment_method", intent["payment_method"])
            return self._fail(intent, charge, method, cards.FAILED_DEBIT)
        charge |= {
            "status": "succeeded",
            "paid": True,
            "_settles_at": at + money_objects.SETTLEMENT_SECONDS,
        }
        return self._accept(intent, charge, at)

    def cancel(self, intent: Record, *, reason: str | None, at: int) -> Happened:
        intent |= {
            "status": "canceled",
            "canceled_at": at,
            "cancellation_reason": reason,
            **_NOT_ASKED,
        }
        self.store.save(intent)
        return [("payment_intent.canceled", intent)]

    def settle(self, at: int) -> Happened:
        """Learn Stripe's fees of the charges that are old enough."""
        settled = self.store.unsettled_charges(at)
        for charge in settled:
            transaction = balance.charge(charge)
            charge |= {"balance_transaction": transaction["id"], "_settles_at": None}
            self._save(transaction, charge)
        return [("charge.updated", charge) for charge in settled]

    def _save(self, *records: Record) -> None:
        for record in records:
            self.store.save(record)


def require_asked(intent: Record | None, challenge_id: str) -> Record:
    """Return the intent if the bank asks just this; raises NotAsked."""
    if intent is None or intent["_challenge"] != challenge_id:
        raise NotAsked(challenge_id)
    return intent
