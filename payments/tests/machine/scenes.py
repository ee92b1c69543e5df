"""The scenes in which the machine begins, and what it has to have done in each after all examples.

Derandomized, the walks stay the same until the code changes. So a scene is asked for steps that it
does many times over, and a step stands in the scene that leads to it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

Steps = tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True)
class Scene:
    """Steps that come before any other, and those that must be done to their end."""

    begins: Steps
    does: Collection[str]
    # What of Stripe must fail, if anything.
    fails: str = "/v1/checkout/sessions"
    # At how many fault points a process must die, at least.
    deaths: int = 1
    is_shipping_free: bool = False
    # One of these follows: steps to which chance alone seldom leads.
    then: tuple[Steps, ...] = ((),)


_BUY = ("buy", {"which": 0, "variant": 0, "how": "good"})
_BUY_MORE = ("buy", {"which": 1, "variant": 1, "how": "good"})
_BUY_BY_DEBIT = ("buy", {"which": 0, "variant": 0, "how": "debit"})
_BUY_FREE = ("buy", {"which": 0, "variant": 2, "how": "good"})
_HEAR = ("hear", {"newest_first": False})
_DISPUTE = ("dispute", {"which": 0, "amount": None, "inquiry": False, "withdraw": True})
_CHARGE_TWICE = ("err", {"mishap": {"kind": "second_charge"}})
_UNDERCHARGE = ("err", {"mishap": {"kind": "wrong_amount", "by": -100}})
_REFUND = ("refund", {"which": 0, "amount": 1_00})
_REFUND_WAITS = ("err", {"mishap": {"kind": "refund_pending"}})
_WORK = ("run_jobs", {"newest_first": False})
_PLACE = (
    ("change_cart", {"which": 0, "variant": 1, "quantity": 1}),
    ("place", {"which": 0}),
)
_AFTER_PLACING = tuple(
    (*_PLACE, step)
    for step in (
        ("pay", {"which": 0, "how": "good"}),
        ("cancel", {"which": 0}),
        ("call_off_pending", {"which": 0}),
        ("cancel_behind", {"which": 0, "reason": "expiry"}),
    )
)
_ASK_BANK = (
    ("buy", {"which": 0, "variant": 0, "how": "asks"}),
    ("answer_bank", {"which": 0, "answer": "complete"}),
)
_ANSWERS = (
    (("accept", {"which": 0}),),
    (("refund_reviewed", {"which": 0}),),
    (("settle_by_hand", {"which": 0, "is_paid": True, "form": UUID(int=1)}),),
)

_LOSE = ("move_dispute", {"which": 0, "action": "lose"})
_MOVES: tuple[Steps, ...] = (
    *((("move_dispute", {"which": 0, "action": action}),) for action in ("submit", "win")),
    (_LOSE,),
    (_LOSE, _HEAR, ("put_back", {"which": 0})),
)
_ENDS = tuple(
    (("decide_refund", {"which": 0, "outcome": outcome}),) for outcome in ("succeeded", "failed")
)
_CALL_OFF = (("call_off_paid", {"which": 0}),)

SCENES = {
    "nothing was bought": Scene(
        (),
        does={
            "answer_bank",
            "call_off_pending",
            "cancel",
            "cancel_behind",
            "change_cart",
            "come_back",
            "pay",
            "place",
        },
        deaths=3,
        then=(*_AFTER_PLACING, _ASK_BANK),
    ),
    "too little was paid": Scene(
        (_UNDERCHARGE, _BUY, _HEAR),
        does={"accept", "refund_reviewed", "settle_by_hand", "hear", "err", "fail", "reconcile"},
        deaths=3,
        then=_ANSWERS,
    ),
    "paid twice": Scene(
        (_BUY_MORE, _CHARGE_TWICE, _BUY, _HEAR),
        does={
            "buy",
            "hand_over",
            "hand_all_over",
            "refund_units",
            "enter_money",
            "sign_in",
            "pay_now",
        },
        deaths=3,
    ),
    "a bank debit is under way": Scene(
        (_BUY_BY_DEBIT, _HEAR), does={"decide_debit", "pass_time", "hear_some"}, deaths=3
    ),
    "it costs nothing": Scene(
        (_BUY_FREE,),
        does={"call_off_paid"},
        deaths=1,
        fails="",
        is_shipping_free=True,
        then=(_CALL_OFF, ()),
    ),
    "two orders are paid": Scene(
        (_BUY, _BUY_MORE, _HEAR), does={"refund", "charge_again", "die"}, deaths=4
    ),
    "a dispute is open": Scene(
        (_BUY, _HEAR, _DISPUTE, _HEAR),
        does={"dispute", "move_dispute", "put_back"},
        deaths=2,
        fails="/v1/disputes",
        then=_MOVES,
    ),
    "a refund waits": Scene(
        (_BUY, _HEAR, _REFUND_WAITS, _REFUND, _WORK),
        does={"decide_refund", "run_jobs", "refund_in_dashboard"},
        deaths=2,
        fails="/v1/refunds",
        then=_ENDS,
    ),
}
