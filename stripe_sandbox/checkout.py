"""What happens to a Checkout Session: opened, paid, declined, expired; and to its money later.

Every function runs in the caller's store transaction, so that two submits of one page take turns.
"""

from dataclasses import dataclass

from stripe_sandbox import cards, money_objects, objects
from stripe_sandbox.errors import ApiError
from stripe_sandbox.events import NOBODY, Events, Origin
from stripe_sandbox.session_params import shipping_amount, subtotal
from stripe_sandbox.store import Record, Store

# What an intent says once the bank asks nothing of the buyer any more.
_NOT_ASKED: Record = {"next_action": None, "_challenge": None}


class NotOpen(Exception):
    """The session is complete or expired: nothing can be paid by it any more."""


class NotAsked(Exception):
    """The bank no longer asks the buyer: answered, or another payment was tried since."""


class NotProcessing(Exception):
    """The intent waits for no bank."""


@dataclass(frozen=True)
class Payer:
    email: str
    name: str


@dataclass(frozen=True)
class Checkout:
    store: Store
    events: Events

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
        self,
        session_id: str,
        instrument: cards.Instrument,
        payer: Payer,
        *,
        at: int,
        decline: cards.Decline | None = None,
    ) -> Record:
        """Try to pay; returns the session, still open if `decline` says that the bank refuses.

        Raises NotOpen, and then nothing was charged.
        """
        session = self._open_session(session_id)
        happened: list[tuple[str, Record]] = []
        intent = self._intent(session, at, happened) | _NOT_ASKED
        method = self._method(instrument, payer, at)
        return self._charge(session, intent, method, happened, at, decline)

    def ask_bank(
        self, session_id: str, instrument: cards.Instrument, payer: Payer, *, at: int
    ) -> str:
        """Begin a payment that the buyer must confirm to the bank; returns the challenge's id.

        It replaces an earlier challenge, and nothing is charged before its answer. Raises NotOpen.
        """
        session = self._open_session(session_id)
        happened: list[tuple[str, Record]] = []
        intent = self._intent(session, at, happened)
        method = self._method(instrument, payer, at)
        challenge_id = objects.new_id("", 24)
        page = session["url"]
        redirect = {"return_url": page, "url": f"{page}/confirm/{challenge_id}"}
        intent |= {
            "status": "requires_action",
            "payment_method": method["id"],
            "last_payment_error": None,
            "next_action": {"type": "redirect_to_url", "redirect_to_url": redirect},
            "_challenge": challenge_id,
        }
        happened.append(("payment_intent.requires_action", intent))
        for record in (session, intent):
            self.store.save(record)
        self.events.emit(happened, at)
        return challenge_id

    def asked(self, session_id: str, challenge_id: str) -> Record:
        """Return the session whose buyer the bank asks just now; raises NotOpen, NotAsked."""
        session = self._open_session(session_id)
        self._asking_intent(session, challenge_id)
        return session

    def answer_bank(
        self, session_id: str, challenge_id: str, *, is_confirmed: bool, at: int
    ) -> Record:
        """Pay what the buyer confirms, or note that he did not; returns the session.

        Raises NotOpen, NotAsked, and then nothing was charged by this answer.
        """
        session = self._open_session(session_id)
        intent = self._asking_intent(session, challenge_id)
        method = self.store.get("payment_method", intent["payment_method"])
        if is_confirmed:
            return self._charge(session, intent, method, [], at, None)
        self._refuse(intent, method, cards.NOT_CONFIRMED, None)
        self.store.save(intent)
        self.events.emit([("payment_intent.payment_failed", intent)], at)
        return session

    def _open_session(self, session_id: str) -> Record:
        session = self.store.get("checkout.session", session_id)
        if session["status"] != "open":
            raise NotOpen(session["status"])
        return session

    def _asking_intent(self, session: Record, challenge_id: str) -> Record:
        if session["payment_intent"]:
            intent = self.store.get("payment_intent", session["payment_intent"])
            if intent.get("_challenge") == challenge_id:
                return intent
        raise NotAsked(challenge_id)

    def _method(self, instrument: cards.Instrument, payer: Payer, at: int) -> Record:
        billing = money_objects.billing_details(payer.email, payer.name)
        method = money_objects.payment_method(instrument, billing, at)
        self.store.save(method)
        return method

    def _charge(
        self,
        session: Record,
        intent: Record,
        method: Record,
        happened: list[tuple[str, Record]],
        at: int,
        decline: cards.Decline | None,
    ) -> Record:
        is_confirmed = intent["_challenge"] is not None
        charge = money_objects.charge(intent, method, at, is_confirmed=is_confirmed)
        intent["latest_charge"] = charge["id"]
        if decline:
            money_objects.fail(charge, decline)
            self._refuse(intent, method, decline, charge["id"])
            happened += [("charge.failed", charge), ("payment_intent.payment_failed", intent)]
        else:
            intent |= {"payment_method": method["id"], "last_payment_error": None, **_NOT_ASKED}
            happened += self._accept(intent, charge)
            self._complete(session, intent, method["billing_details"])
            happened.append(("checkout.session.completed", session))
        for record in (session, intent, charge):
            self.store.save(record)
        self.events.emit(happened, at)
        return session

    def _intent(self, session: Record, at: int, happened: list[tuple[str, Record]]) -> Record:
        """Return the session's intent, which the first try to pay brings into being."""
        if session["payment_intent"]:
            return self.store.get("payment_intent", session["payment_intent"])
        intent = objects.payment_intent(session, at)
        session["payment_intent"] = intent["id"]
        happened.append(("payment_intent.created", dict(intent)))
        return intent

    def _accept(self, intent: Record, charge: Record) -> list[tuple[str, Record]]:
        if charge["status"] == "pending":
            intent["status"] = "processing"
            return [("charge.pending", charge), ("payment_intent.processing", intent)]
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        return [("charge.succeeded", charge), ("payment_intent.succeeded", intent)]

    def _refuse(
        self, intent: Record, method: Record, decline: cards.Decline, charge_id: str | None
    ) -> None:
        intent |= {
            "status": "requires_payment_method",
            "payment_method": None,
            "last_payment_error": money_objects.payment_error(decline, charge_id, method),
            **_NOT_ASKED,
        }

    def _complete(self, session: Record, intent: Record, payer: Record) -> None:
        is_paid = intent["status"] == "succeeded"
        session |= {
            "status": "complete",
            "payment_status": "paid" if is_paid else "unpaid",
            "url": None,
            "customer_details": objects.customer_details(payer["email"], payer["name"]),
        }

    def decide_bank_debit(self, intent_id: str, *, succeeds: bool, at: int) -> Record:
        """Let the bank answer; returns the intent. Raises KeyError, NotProcessing."""
        intent = self.store.get("payment_intent", intent_id)
        if intent["status"] != "processing":
            raise NotProcessing(intent["status"])
        session = self.store.get("checkout.session", intent["_session"])
        charge = self.store.get("charge", intent["latest_charge"])
        if succeeds:
            charge |= {
                "status": "succeeded",
                "paid": True,
                "_settles_at": at + money_objects.SETTLEMENT_SECONDS,
            }
            session["payment_status"] = "paid"
            happened = self._accept(intent, charge)
            happened.append(("checkout.session.async_payment_succeeded", session))
        else:
            method = self.store.get("payment_method", intent["payment_method"])
            money_objects.fail(charge, cards.FAILED_DEBIT)
            self._refuse(intent, method, cards.FAILED_DEBIT, charge["id"])
            happened = [
                ("charge.failed", charge),
                ("payment_intent.payment_failed", intent),
                ("checkout.session.async_payment_failed", session),
            ]
        for record in (session, intent, charge):
            self.store.save(record)
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
        happened = [("checkout.session.expired", session)]
        if session["payment_intent"]:
            intent = self.store.get("payment_intent", session["payment_intent"])
            intent |= {
                "status": "canceled",
                "canceled_at": at,
                "cancellation_reason": "automatic",
                **_NOT_ASKED,
            }
            self.store.save(intent)
            happened.append(("payment_intent.canceled", intent))
        self.events.emit(happened, at, origin)
        return session

    def catch_up(self, at: int) -> None:
        """Do what time alone brings: sessions expire, and Stripe learns its fees."""
        for session in self.store.overdue_sessions(at):
            self.expire(session, at=at)
        for charge in self.store.unsettled_charges(at):
            transaction = money_objects.balance_transaction(charge, at)
            charge |= {"balance_transaction": transaction["id"], "_settles_at": None}
            self.store.save(transaction)
            self.store.save(charge)
            self.events.emit([("charge.updated", charge)], at)
