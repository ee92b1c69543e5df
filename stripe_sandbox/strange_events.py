"""Events that a shop must not act on, or not again.

POST /_sandbox/events {"kind": ...}
forged    a copy of an event under a new id is posted, signed with nobody's secret
replay    an event is posted again; its signature may be `age` seconds old
foreign   another application's checkout is paid on this account, with its `metadata` or none
unknown   a checkout like the newest one is paid, tagged like it, but for an attempt that nobody
          knows; `metadata` is put over its tags
`event` is the id of the event that is copied or posted; the newest one if left out.
"""

from typing import Any

from stripe_sandbox import cards
from stripe_sandbox.objects import new_id, public
from stripe_sandbox.payments import Payer
from stripe_sandbox.session_params import read_session_params
from stripe_sandbox.store import Record
from stripe_sandbox.twin import Twin

_NOBODYS_SECRET = "whsec_of_somebody_else"  # noqa: S105 - it opens nothing
_STRANGER = Payer("stranger@example.com", "A. Stranger")
_FOREIGN_AMOUNT, _FOREIGN_CURRENCY = 1000, "eur"


def make(twin: Twin, fields: Any) -> Record:
    """Make what `kind` says; returns the event and the tries to post it, or the session."""
    makers = {"forged": _forge, "replay": _replay, "foreign": _pay_foreign, "unknown": _pay_unknown}
    if fields["kind"] not in makers:
        raise ValueError(f"kind must be one of {', '.join(makers)}")
    return makers[fields["kind"]](twin, fields)


def _forge(twin: Twin, fields: Any) -> Record:
    event = _event(twin, fields) | {"id": new_id("evt_")}
    return {"event": event, "tries": twin.deliveries.post(event, secret=_NOBODYS_SECRET)}


def _replay(twin: Twin, fields: Any) -> Record:
    event = _event(twin, fields)
    return {"event": event, "tries": twin.deliveries.post(event, age=int(fields.get("age", 0)))}


def _event(twin: Twin, fields: Any) -> Record:
    if "event" in fields:
        return twin.store.get("event", fields["event"])
    return _newest(twin, "event")


def _newest(twin: Twin, kind: str) -> Record:
    for newest in twin.store.select(kind, [], newest_first=True, limit=1):
        return newest
    raise KeyError(kind)


def _pay_foreign(twin: Twin, fields: Any) -> Record:
    tags = fields.get("metadata", {})
    return _paid(twin, tags, None, _FOREIGN_AMOUNT, _FOREIGN_CURRENCY)


def _pay_unknown(twin: Twin, fields: Any) -> Record:
    model = _newest(twin, "checkout.session")
    tags = model["metadata"] | {"attempt": new_id("")} | fields.get("metadata", {})
    reference = model["client_reference_id"]
    return _paid(twin, tags, reference, model["amount_total"], model["currency"])


def _paid(
    twin: Twin, tags: dict[str, str], reference: str | None, amount: int, currency: str
) -> Record:
    product = {"name": "Something else"}
    price = {"currency": currency, "unit_amount": str(amount), "product_data": product}
    params = {
        "mode": "payment",
        "line_items": {"0": {"price_data": price, "quantity": "1"}},
        "metadata": tags,
        "payment_intent_data": {"metadata": tags},
        "success_url": "https://elsewhere.example/",
    }
    if reference:
        params["client_reference_id"] = reference
    at = twin.catch_up()
    with twin.store.transaction():
        typed = read_session_params(params, at)
        session = twin.checkout.open_session(typed, base_url="https://elsewhere.example", at=at)
        card = cards.TOKENS["pm_card_visa"]
        session, _intent = twin.checkout.pay(session["id"], card, _STRANGER, at=at)
        return {"session": public(session)}
