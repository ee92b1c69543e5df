"""Disputes: a bank asks, takes the money back, gives it again or keeps it."""

from typing import Any

import pytest
import requests
import stripe

from stripe_sandbox.tests.conftest import Twin

DAY = 24 * 60 * 60
WITHDRAWN = ("adjustment", "dispute", -3097, 1500, -4597)
REINSTATED = ("adjustment", "dispute_reversal", 3097, 0, 3097)


@pytest.fixture
def charge(twin: Twin) -> stripe.Charge:
    """A card's charge of 30.97 EUR."""
    twin.paid_session()
    (charge,) = twin.sdk.v1.charges.list().data
    return charge


def dispute(twin: Twin, charge: stripe.Charge, **fields: Any) -> str:
    """Dispute the charge; returns the dispute's id."""
    opened: str = twin.control("disputes", charge=charge.id, **fields)["id"]
    return opened


def read(twin: Twin, dispute_id: str) -> stripe.Dispute:
    return twin.sdk.v1.disputes.retrieve(dispute_id)


def movements(read: stripe.Dispute) -> list[tuple[str, str, int, int, int]]:
    return [
        (moved.type, moved.reporting_category, moved.amount, moved.fee, moved.net)
        for moved in read.balance_transactions
    ]


def new_events(twin: Twin, before: list[str]) -> list[str]:
    """Return what was told of disputes since, in no promised order."""
    types = twin.event_types()
    return sorted(name.removeprefix("charge.dispute.") for name in types[: -len(before)])


def test_a_dispute_takes_the_money_and_a_fee(twin: Twin, charge: stripe.Charge) -> None:
    before = twin.event_types()

    opened = read(twin, dispute(twin, charge))

    assert opened.id.startswith("du_")
    assert (opened.status, opened.amount, opened.currency) == ("needs_response", 3097, "eur")
    assert (opened.charge, opened.payment_intent) == (charge.id, charge.payment_intent)
    assert (opened.reason, opened.is_charge_refundable) == ("fraudulent", False)
    assert opened.payment_method_details is not None
    card = opened.payment_method_details.card
    assert card is not None
    assert (card.case_type, card.network_reason_code) == ("chargeback", "10.4")
    assert opened.evidence_details.due_by is not None
    assert 9 * DAY <= opened.evidence_details.due_by - opened.created < 10 * DAY
    assert movements(opened) == [WITHDRAWN]
    (moved,) = twin.sdk.v1.balance_transactions.list(params={"source": opened.id}).data
    assert [part.amount for part in moved.fee_details] == [1500]
    assert twin.sdk.v1.charges.retrieve(charge.id).disputed
    assert new_events(twin, before) == ["created", "funds_withdrawn"]


def test_a_disputed_charge_is_not_refunded(twin: Twin, charge: stripe.Charge) -> None:
    opened = dispute(twin, charge, amount=1000)

    for status in ("needs_response", "under_review", "lost"):
        assert read(twin, opened).status == status
        with pytest.raises(stripe.InvalidRequestError, match="charged back") as error:
            twin.sdk.v1.refunds.create(params={"charge": charge.id, "amount": 1})
        assert error.value.code == "charge_disputed"
        if status != "lost":
            action = "submit" if status == "needs_response" else "lose"
            twin.control(f"disputes/{opened}", action=action)

    assert twin.sdk.v1.refunds.list().data == []


def test_a_dispute_that_is_won_gives_the_money_again_but_not_the_fee(
    twin: Twin, charge: stripe.Charge
) -> None:
    opened = dispute(twin, charge)
    twin.control(f"disputes/{opened}", action="submit")
    answered = read(twin, opened)
    assert answered.evidence_details.has_evidence
    assert answered.evidence_details.submission_count == 1
    before = twin.event_types()

    twin.control(f"disputes/{opened}", action="win")

    won = read(twin, opened)
    assert (won.status, won.is_charge_refundable) == ("won", True)
    assert movements(won) == [WITHDRAWN, REINSTATED]
    assert new_events(twin, before) == ["closed", "funds_reinstated", "updated"]
    assert twin.sdk.v1.refunds.create(params={"charge": charge.id}).amount == 3097


def test_a_dispute_that_is_lost_keeps_the_money(twin: Twin, charge: stripe.Charge) -> None:
    opened = dispute(twin, charge)
    before = twin.event_types()

    twin.control(f"disputes/{opened}", action="lose")

    lost = read(twin, opened)
    assert (lost.status, lost.is_charge_refundable) == ("lost", False)
    assert movements(lost) == [WITHDRAWN]
    assert new_events(twin, before) == ["closed", "updated"]


def test_an_inquiry_moves_no_money(twin: Twin, charge: stripe.Charge) -> None:
    before = twin.event_types()
    opened = dispute(twin, charge, inquiry=True, reason="product_not_received")

    asked = read(twin, opened)
    assert (asked.status, asked.is_charge_refundable) == ("warning_needs_response", True)
    assert asked.payment_method_details is not None
    assert asked.payment_method_details.card is not None
    assert asked.payment_method_details.card.case_type == "inquiry"
    assert asked.payment_method_details.card.network_reason_code == "13.1"
    assert movements(asked) == []
    assert new_events(twin, before) == ["created"]

    twin.control(f"disputes/{opened}", action="submit")
    twin.control(f"disputes/{opened}", action="close")

    assert read(twin, opened).status == "warning_closed"
    assert movements(read(twin, opened)) == []
    assert new_events(twin, before) == ["closed", "created", "updated", "updated"]


def test_an_inquiry_may_become_a_dispute_of_what_was_not_refunded(
    twin: Twin, charge: stripe.Charge
) -> None:
    opened = dispute(twin, charge, inquiry=True)
    twin.sdk.v1.refunds.create(params={"charge": charge.id, "amount": 1000})
    before = twin.event_types()

    twin.control(f"disputes/{opened}", action="escalate")

    insisted = read(twin, opened)
    assert (insisted.status, insisted.amount) == ("needs_response", 2097)
    assert insisted.payment_method_details is not None
    assert insisted.payment_method_details.card is not None
    assert insisted.payment_method_details.card.case_type == "chargeback"
    assert [moved[2:] for moved in movements(insisted)] == [(-2097, 1500, -3597)]
    assert new_events(twin, before) == ["funds_withdrawn", "updated"]


def test_an_inquiry_that_becomes_a_dispute_lets_pending_refunds_fail(
    twin: Twin, charge: stripe.Charge
) -> None:
    opened = dispute(twin, charge, inquiry=True)
    twin.control("faults", kind="refund_pending")
    pending = twin.sdk.v1.refunds.create(params={"charge": charge.id, "amount": 1000})

    twin.control(f"disputes/{opened}", action="submit")
    assert twin.sdk.v1.refunds.retrieve(pending.id).status == "pending"
    twin.control(f"disputes/{opened}", action="escalate")

    assert twin.sdk.v1.refunds.retrieve(pending.id).status == "failed"
    assert read(twin, opened).amount == 3097


def test_an_inquiry_has_no_funds_to_withdraw(twin: Twin, charge: stripe.Charge) -> None:
    opened = dispute(twin, charge, inquiry=True)
    before = twin.event_types()

    for action in ("withdraw", "reinstate", "win", "lose"):
        with pytest.raises(requests.HTTPError, match="400"):
            twin.control(f"disputes/{opened}", action=action)

    assert movements(read(twin, opened)) == []
    assert twin.event_types() == before


def test_a_full_refund_ends_what_an_inquiry_can_take(twin: Twin, charge: stripe.Charge) -> None:
    opened = dispute(twin, charge, inquiry=True)
    twin.sdk.v1.refunds.create(params={"charge": charge.id})
    before = twin.event_types()

    with pytest.raises(requests.HTTPError, match="400"):
        twin.control(f"disputes/{opened}", action="escalate")

    assert read(twin, opened).status == "warning_needs_response"
    assert twin.event_types() == before


def test_funds_may_move_before_or_after_the_decision(twin: Twin, charge: stripe.Charge) -> None:
    opened = dispute(twin, charge, withdraw=False)
    assert movements(read(twin, opened)) == []
    twin.control(f"disputes/{opened}", action="lose")
    before = twin.event_types()

    twin.control(f"disputes/{opened}", action="withdraw")
    twin.control(f"disputes/{opened}", action="reinstate")

    assert read(twin, opened).status == "lost"
    assert movements(read(twin, opened)) == [WITHDRAWN, REINSTATED]
    assert new_events(twin, before) == ["funds_reinstated", "funds_withdrawn"]
    for action in ("withdraw", "reinstate"):
        with pytest.raises(requests.HTTPError, match="400"):
            twin.control(f"disputes/{opened}", action=action)


def test_funds_that_came_again_before_are_not_given_twice(
    twin: Twin, charge: stripe.Charge
) -> None:
    opened = dispute(twin, charge)

    twin.control(f"disputes/{opened}", action="reinstate")
    twin.control(f"disputes/{opened}", action="win")

    assert movements(read(twin, opened)) == [WITHDRAWN, REINSTATED]


def test_no_more_is_disputed_than_is_left(twin: Twin, charge: stripe.Charge) -> None:
    twin.sdk.v1.refunds.create(params={"charge": charge.id, "amount": 1000})

    first = dispute(twin, charge, amount=2000)
    with pytest.raises(requests.HTTPError, match="400"):
        dispute(twin, charge, amount=98)
    assert read(twin, dispute(twin, charge)).amount == 97
    with pytest.raises(requests.HTTPError, match="400"):
        dispute(twin, charge)

    twin.control(f"disputes/{first}", action="win")
    assert read(twin, dispute(twin, charge)).amount == 2000


def test_a_dispute_lets_pending_refunds_fail(twin: Twin, charge: stripe.Charge) -> None:
    twin.control("faults", kind="refund_pending")
    pending = twin.sdk.v1.refunds.create(params={"charge": charge.id})

    opened = dispute(twin, charge)

    failed = twin.sdk.v1.refunds.retrieve(pending.id)
    assert failed.status == "failed"
    assert failed.failure_reason == "charge_for_pending_refund_disputed"
    assert read(twin, opened).amount == 3097
    assert twin.sdk.v1.charges.retrieve(charge.id).amount_refunded == 0


@pytest.mark.parametrize("fields", [{"action": "pay"}, {"action": "close"}, {"action": "escalate"}])
def test_a_dispute_moves_only_where_it_can(
    twin: Twin, charge: stripe.Charge, fields: dict[str, str]
) -> None:
    opened = dispute(twin, charge)
    before = twin.event_types()

    with pytest.raises(requests.HTTPError, match="400"):
        twin.control(f"disputes/{opened}", **fields)

    assert read(twin, opened).status == "needs_response"
    assert twin.event_types() == before


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 400),
        ({"charge": "ch_1"}, 404),
        ({"payment_intent": "pi_1"}, 404),
        ({"charge": "ch_1", "reason": "whim"}, 400),
        ({"charge": "ch_1", "inquiry": "perhaps"}, 400),
        ({"charge": "ch_1", "fee": 1}, 400),
    ],
)
def test_a_dispute_of_nothing_is_refused(
    twin: Twin, fields: dict[str, object], status: int
) -> None:
    with pytest.raises(requests.HTTPError, match=str(status)):
        twin.control("disputes", **fields)

    assert twin.sdk.v1.disputes.list().data == []


def test_disputes_are_listed_by_charge_and_intent(twin: Twin, charge: stripe.Charge) -> None:
    mine = dispute(twin, charge)
    twin.paid_session()
    other, _ = twin.sdk.v1.charges.list().data
    others = dispute(twin, other)
    disputes = twin.sdk.v1.disputes
    intent = str(other.payment_intent)

    assert [found.id for found in disputes.list().data] == [others, mine]
    assert [found.id for found in disputes.list(params={"charge": charge.id}).data] == [mine]
    assert [found.id for found in disputes.list(params={"payment_intent": intent}).data] == [others]
    with pytest.raises(stripe.InvalidRequestError, match="No such dispute"):
        disputes.retrieve("du_1")
