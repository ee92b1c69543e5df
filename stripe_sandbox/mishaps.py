"""What should never happen to a payment, and does: paid at the last moment, charged twice.

POST /_sandbox/second_charges  {"payment_intent": id}: charge what is paid once more
The faults pay_at_expire and second_charge do it unasked.
"""

from contextlib import suppress
from typing import Any

from stripe_sandbox import cards
from stripe_sandbox.checkout import NotOpen
from stripe_sandbox.errors import ApiError
from stripe_sandbox.objects import public
from stripe_sandbox.payments import Payer
from stripe_sandbox.store import Record
from stripe_sandbox.twin import Twin

_PAYER = Payer("buyer@example.com", "A. Buyer")


def pay_first(twin: Twin, path: str) -> None:
    """Pay the session or intent that a call at `path` is about to end, if it can be paid."""
    object_id = path.split("/")[-2]
    card = cards.TOKENS["pm_card_visa"]
    at = twin.catch_up()
    with twin.store.transaction():
        intent = twin.store.find("payment_intent", object_id)
        if intent is None:
            with suppress(NotOpen, KeyError):
                twin.checkout.pay(object_id, card, _PAYER, at=at)
        elif intent["status"].startswith("requires_") and not intent["_session"]:
            method = twin.payments.new_method(card, _PAYER, at)
            happened = twin.payments.pay(intent, method, page_url="", return_url=None, at=at)
            twin.events.emit(happened, at)


def charge_again(twin: Twin, fields: Any) -> Record:
    at = twin.catch_up()
    with twin.store.transaction():
        intent = twin.store.get("payment_intent", fields["payment_intent"])
        if intent["status"] != "succeeded":
            raise ApiError(409, f"the intent is {intent['status']}, not succeeded")
        twin.events.emit(twin.payments.charge_again(intent, at=at), at)
        return public(intent)
