"""The moves an order may make, as data; `orders.services` is the only one who walks it."""

from orders.models import Reason, Status

MOVES: dict[tuple[Status, Status], frozenset[Reason]] = {
    (Status.PENDING, Status.PAID): frozenset(
        {Reason.CAPTURE, Reason.MANUAL, Reason.ZERO, Reason.ACCEPTED}
    ),
    (Status.PENDING, Status.CANCELED): frozenset(
        {Reason.BUYER, Reason.STAFF, Reason.REPLACEMENT, Reason.EXPIRY}
    ),
    (Status.PAID, Status.FULFILLED): frozenset({Reason.FULFILLED, Reason.PUT_BACK}),
    (Status.PAID, Status.REFUNDED): frozenset({Reason.REFUNDED}),
    (Status.FULFILLED, Status.REFUNDED): frozenset({Reason.REFUNDED}),
    (Status.REFUNDED, Status.PAID): frozenset({Reason.REFUND_FAILED}),
    (Status.REFUNDED, Status.FULFILLED): frozenset({Reason.REFUND_FAILED}),
    (Status.CANCELED, Status.PAID): frozenset({Reason.LATE_CAPTURE, Reason.ACCEPTED}),
}


class ForbiddenMove(Exception):
    """The order may not go from its status to that one for this reason."""


def check(from_status: str, to_status: Status, reason: Reason) -> None:
    """Raise ForbiddenMove unless the table allows this move for this reason."""
    if reason not in MOVES.get((Status(from_status), to_status), frozenset()):
        raise ForbiddenMove(f"{from_status} to {to_status} for {reason}")
