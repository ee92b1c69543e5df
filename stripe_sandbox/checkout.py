"""What happens to a Checkout Session: opened, paid, declined, expired; and to its money later.

Every function runs in the caller's store transaction, so that two submits of one page take turns.
"""

from dataclasses import dataclass

from stripe_sandbox import cards, objects
from stripe_sandbox.errors import ApiError
from stripe_sandbox.events import NOBODY, Events, Origin
from stripe_sandbox.payments import Happened, Payer, Payments, require_asked
from stripe_sandbox.session_params import shipping_amount, subtotal
from stripe_sandbox.store import Record, Store


class NotOpen(Exception):
    """The session is complete or expired: nothing can be paid by it any more."""


@dataclass(frozen=True)
class Checkout:
    store: Store
    events: Events
    payments: Payments

    def open_session(self, params: Record, *, base_url: str, at: int) -> Record:
        """Open a session of typed parameters (see `session_params`)."""
        session = objects.session(params, at)
        shipping = shipping_amount(params)
        amount_subtotal = subtotal(params)
        session |= {
            "amount_subtotal": amount_subtotal,
            "amount_total": amount_subtotal + (shipping or 0),
            "shipping_cost": None,
            "shipping_options": [],
            "total_details": {
                "amount_discount": 0,
                "amount_shipping": shipping or 0,
                "amount_tax": 0,
            },
            "url": f"{base_url}/c/pay/{session['id']}",
        }
        for option in params.get("shipping_options", []):
            rate = objects.shipping_rate(option["shipping_rate_data"], at)
            self.store.save(rate)
            session["shipping_options"] = [
                {"shipping_amount": shipping, "shipping_rate": rate["id"]}
            ]
            session["shipping_cost"] = {
                "amount_subtotal": shipping,
                "amount_tax": 0,
                "amount_total": shipping,
                "shipping_rate": rate["id"],
            }
        session["_items"] = [self._line_item(item, at) for item in params["line_items"]]
        self.store.save(session)
        return session

    def _line_item(self, params: Record, at: int) -> Record:
        product = objects.product(params["price_data"]["product_data"], at)
        self.store.save(product)
        return objects.line_item(params, product["id"], at)

    def pay(
        self, session_id: str, instrument: cards.Instrument, payer: Payer, *, at: int
    ) -> tuple[Record, Record]:
        """Try to pay; returns the session and its intent, whose status tells what came of it.

        A session that is still open was declined, or the bank asks the buyer; nothing is charged
        before he answers. Raises NotOpen, and then nothing was charged either.
        """
        session = self._open_session(session_id)
        page = session["url"]
        intent, happened = self._intent(session, at)
        method = self.payments.new_method(instrument, payer, at)
        happened += self.payments.pay(
            intent, method, page_url=f"{page}/confirm", return_url=page, at=at
        )
        happened += self._completed(session, intent, method)
        self.events.emit(happened, at)
        return session, intent

    def asked(self, session_id: str, challenge_id: str) -> Record:
        """Return the session whose buyer the bank asks just now; raises NotOpen, NotAsked."""
        session = self._open_session(session_id)
        require_asked(self._known_intent(session), challenge_id)
        return session

    def answer_bank(
        self, session_id: str, challenge_id: str, *, is_confirmed: bool, at: int
    ) -> Record:
        """Pay what the buyer confirms, or note that he did not; returns the session.

        Raises NotOpen, NotAsked, and then nothing was charged by this answer.
        """
        session = self._open_session(session_id)
        intent = require_asked(self._known_intent(session), challenge_id)
        method = self.store.get("payment_method", intent["payment_method"])
        happened = self.payments.answer_bank(intent, is_confirmed=is_confirmed, at=at)
        happened += self._completed(session, intent, method)
        self.events.emit(happened, at)
        return session

    def _open_session(self, session_id: str) -> Record:
        session = self.store.get("checkout.session", session_id)
        if session["status"] != "open":
            raise NotOpen(session["status"])
        return session

    def _known_intent(self, session: Record) -> Record | None:
        """Return the session's intent, if there was a try to pay."""
        intent_id = session["payment_intent"]
        return self.store.get("payment_intent", intent_id) if intent_id else None

    def _intent(self, session: Record, at: int) -> tuple[Record, Happened]:
        """Return the session's intent, which the first try to pay brings into being."""
        if intent := self._known_intent(session):
            return intent, []
        intent = objects.session_intent(session, at)
        session["payment_intent"] = intent["id"]
        self.store.save(session)
        return intent, [("payment_intent.created", dict(intent))]

    def _completed(self, session: Record, intent: Record, method: Record) -> Happened:
        """Complete the session of an intent that is paid, or that a bank debit will pay."""
        if intent["status"] not in ("succeeded", "processing"):
            return []
        payer = method["billing_details"]
        session |= {
            "amount_total": intent["amount"],
            "currency": intent["currency"],
            "status": "complete",
            "payment_status": "paid" if intent["status"] == "succeeded" else "unpaid",
            "url": None,
            "customer_details": objects.customer_details(payer["email"], payer["name"]),
        }
        self.store.save(session)
        return [("checkout.session.completed", session)]

    def decide_bank_debit(self, intent_id: str, *, succeeds: bool, at: int) -> Record:
        """Let the bank answer; returns the intent. Raises KeyError, NotProcessing."""
        intent = self.store.get("payment_intent", intent_id)
        happened = self.payments.decide_bank_debit(intent, succeeds=succeeds, at=at)
        if intent["_session"]:
            session = self.store.get("checkout.session", intent["_session"])
            if succeeds:
                session["payment_status"] = "paid"
                self.store.save(session)
            outcome = "succeeded" if succeeds else "failed"
            happened.append((f"checkout.session.async_payment_{outcome}", session))
        self.events.emit(happened, at)
        return intent

    def expire(self, session: Record, *, at: int, origin: Origin = NOBODY) -> Record:
        """End an open session and, with it, an intent that a decline or a bank's question left."""
        if session["status"] != "open":
            raise ApiError(
                400,
                f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
                f" Session has a status of {session['status']}.",
                is_stored=True,
            )
        session |= {"status": "expired", "url": None}
        self.store.save(session)
        happened: Happened = [("checkout.session.expired", session)]
        if intent := self._known_intent(session):
            happened += self.payments.cancel(intent, reason="automatic", at=at)
        self.events.emit(happened, at, origin)
        return session

    def catch_up(self, at: int) -> None:
        """Do what time alone brings: sessions expire, and Stripe learns its fees."""
        for session in self.store.overdue_sessions(at):
            self.expire(session, at=at)
        self.events.emit(self.payments.settle(at), at)
