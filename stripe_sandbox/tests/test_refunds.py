"""Refunds: asked for by the shop, made in the dashboard, failing later."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import stripe

from stripe_sandbox.tests.conftest import Twin

TWO_EVENTS = {"refund.updated", "charge.refund.updated"}


@pytest.fixture
def charge(twin: Twin) -> stripe.Charge:
    """A card's charge of 30.97 EUR, its fee known."""
    twin.paid_session()
    twin.control("clock", advance=10)
    (charge,) = twin.sdk.v1.charges.list().data
    return charge


@pytest.fixture
def debit(twin: Twin) -> stripe.Charge:
    """A bank debit's charge of 30.97 EUR that was paid."""
    session = twin.open_session()
    twin.pay(session.url, card="", method="bank_debit")
    intent = twin.sdk.v1.checkout.sessions.retrieve(session.id).payment_intent
    twin.control(f"bank_debits/{intent}", outcome="succeeded")
    twin.control("clock", advance=10)
    (charge,) = twin.sdk.v1.charges.list().data
    return charge


def refund(twin: Twin, charge: stripe.Charge, **params: Any) -> stripe.Refund:
    asked: Any = {"charge": charge.id, **params}
    return twin.sdk.v1.refunds.create(params=asked)


def read(twin: Twin, refund_id: str) -> stripe.Refund:
    return twin.sdk.v1.refunds.retrieve(
        refund_id, params={"expand": ["balance_transaction", "failure_balance_transaction"]}
    )


def movements(twin: Twin, source: str) -> list[tuple[str, int, int, int]]:
    """Return type, amount, fee and net of what moved for a refund, oldest first."""
    listed = twin.sdk.v1.balance_transactions.list(params={"source": source}).data
    return [(moved.type, moved.amount, moved.fee, moved.net) for moved in reversed(listed)]


def account_of(twin: Twin, charge: stripe.Charge) -> tuple[int, bool]:
    now = twin.sdk.v1.charges.retrieve(charge.id)
    return now.amount_refunded, now.refunded


def new_events(twin: Twin, before: int) -> list[str]:
    return sorted(twin.event_types()[: len(twin.event_types()) - before])


def test_a_card_is_refunded_at_once(twin: Twin, charge: stripe.Charge) -> None:
    before = len(twin.event_types())

    made = refund(twin, charge, reason="duplicate", metadata={"refund": "1"})

    assert made.id.startswith("re_")
    assert (made.status, made.amount, made.currency) == ("succeeded", 3097, "eur")
    assert (made.charge, made.payment_intent) == (charge.id, charge.payment_intent)
    assert made.reason == "duplicate"
    assert made.metadata is not None
    assert made.metadata.to_dict() == {"refund": "1"}
    assert account_of(twin, charge) == (3097, True)
    assert movements(twin, made.id) == [("refund", -3097, 0, -3097)]
    assert new_events(twin, before) == ["charge.refunded", "refund.created"]
    (told,) = twin.sdk.v1.events.list(params={"type": "charge.refunded"}).data
    assert told.data.object["amount_refunded"] == 3097


def test_parts_are_refunded_until_nothing_is_left(twin: Twin, charge: stripe.Charge) -> None:
    first = refund(twin, charge, amount=1000)
    assert account_of(twin, charge) == (1000, False)

    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded") as error:
        refund(twin, charge, amount=2098)
    assert error.value.param == "amount"
    assert account_of(twin, charge) == (1000, False)

    rest = twin.sdk.v1.refunds.create(params={"payment_intent": str(charge.payment_intent)})
    assert rest.amount == 2097
    assert account_of(twin, charge) == (3097, True)

    before = twin.event_types()
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded") as error:
        refund(twin, charge, amount=1)
    assert error.value.code == "charge_already_refunded"
    assert twin.event_types() == before
    listed = twin.sdk.v1.refunds.list(params={"charge": charge.id}).data
    assert [made.id for made in listed] == [rest.id, first.id]


def test_two_refunds_at_once_give_back_no_more_than_there_is(
    twin: Twin, charge: stripe.Charge
) -> None:
    def ask(number: int) -> int:
        return twin.post("/v1/refunds", f"key-{number}", charge=charge.id, amount=2000).status_code

    with ThreadPoolExecutor(4) as staff:
        answers = sorted(staff.map(ask, range(4)))

    assert answers == [200, 400, 400, 400]
    assert account_of(twin, charge) == (2000, False)


def test_a_repeated_key_refunds_once(twin: Twin, charge: stripe.Charge) -> None:
    answers = [twin.post("/v1/refunds", "refund-1", charge=charge.id, amount=5) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert account_of(twin, charge) == (5, False)


def test_a_refusal_is_repeated_for_its_key(twin: Twin, charge: stripe.Charge) -> None:
    refused = twin.post("/v1/refunds", "refund-1", charge=charge.id, amount=3098)
    again = twin.post("/v1/refunds", "refund-1", charge=charge.id, amount=3098)

    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == (
        "Refund amount (€30.98) is greater than unrefunded amount on charge (€30.97)"
    )
    assert again.json() == refused.json()
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({}, 400, "payment_intent or charge"),
        ({"charge": "ch_1", "payment_intent": "pi_1"}, 400, "only specify one"),
        ({"charge": "ch_1"}, 404, "No such charge"),
        ({"payment_intent": "pi_1"}, 404, "No such payment_intent"),
        ({"charge": "ch_1", "amount": 0}, 400, "greater than or equal to 1"),
        ({"charge": "ch_1", "reason": "whim"}, 400, "must be one of"),
        ({"charge": "ch_1", "reverse_transfer": "true"}, 400, "cannot do"),
    ],
)
def test_a_refund_of_nothing_is_refused(
    twin: Twin, form: dict[str, str], status: int, said: str
) -> None:
    answer = twin.post("/v1/refunds", **form)

    assert (answer.status_code, said in answer.json()["error"]["message"]) == (status, True)
    assert twin.sdk.v1.refunds.list().data == []


def test_what_did_not_succeed_is_not_refunded(twin: Twin) -> None:
    session = twin.open_session()
    twin.pay(session.url, card="", method="bank_debit")
    (pending,) = twin.sdk.v1.charges.list().data

    with pytest.raises(stripe.InvalidRequestError, match="did not succeed"):
        refund(twin, pending)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        twin.sdk.v1.refunds.create(params={"payment_intent": str(pending.payment_intent)})

    assert account_of(twin, pending) == (0, False)


def test_a_refund_that_had_succeeded_fails_later(twin: Twin, charge: stripe.Charge) -> None:
    made = refund(twin, charge, amount=1000)
    before = len(twin.event_types())

    twin.control(f"refunds/{made.id}", outcome="failed", reason="lost_or_stolen_card")

    failed = read(twin, made.id)
    assert (failed.status, failed.failure_reason) == ("failed", "lost_or_stolen_card")
    assert movements(twin, made.id) == [
        ("refund", -1000, 0, -1000),
        ("refund_failure", 1000, 0, 1000),
    ]
    assert isinstance(failed.failure_balance_transaction, stripe.BalanceTransaction)
    assert failed.failure_balance_transaction.amount == 1000
    assert account_of(twin, charge) == (0, False)
    assert new_events(twin, before) == sorted({"refund.failed", *TWO_EVENTS})
    assert refund(twin, charge).amount == 3097


def test_a_failed_refund_stays_failed(twin: Twin, charge: stripe.Charge) -> None:
    made = refund(twin, charge)
    twin.control(f"refunds/{made.id}", outcome="failed")
    before = twin.event_types()

    for outcome in ("succeeded", "failed", "canceled"):
        with pytest.raises(requests.HTTPError, match="400"):
            twin.control(f"refunds/{made.id}", outcome=outcome)

    assert read(twin, made.id).failure_reason == "unknown"
    assert account_of(twin, charge) == (0, False)
    assert twin.event_types() == before


def test_a_bank_debits_refund_is_pending_until_it_is_decided(
    twin: Twin, debit: stripe.Charge
) -> None:
    before = len(twin.event_types())
    made = refund(twin, debit, amount=1000)

    assert made.id.startswith("pyr_")
    assert (made.status, made.pending_reason) == ("pending", "processing")
    assert account_of(twin, debit) == (1000, False)
    assert movements(twin, made.id) == [("payment_refund", -1000, 0, -1000)]

    twin.control(f"refunds/{made.id}", outcome="succeeded")

    done = read(twin, made.id)
    assert (done.status, getattr(done, "pending_reason", None)) == ("succeeded", None)
    assert account_of(twin, debit) == (1000, False)
    assert len(movements(twin, made.id)) == 1
    assert new_events(twin, before) == sorted({"refund.created", "charge.refunded", *TWO_EVENTS})


def test_an_account_without_money_lets_a_refund_wait(twin: Twin, charge: stripe.Charge) -> None:
    twin.control("faults", kind="refund_pending", times=2)
    first, second = refund(twin, charge, amount=1000), refund(twin, charge, amount=500)

    assert (first.status, first.pending_reason) == ("pending", "insufficient_funds")
    assert first.balance_transaction is None
    assert account_of(twin, charge) == (1500, False)
    assert refund(twin, charge, amount=1).status == "succeeded"

    twin.control(f"refunds/{first.id}", outcome="succeeded")
    twin.control(f"refunds/{second.id}", outcome="failed", reason="insufficient_funds")

    assert movements(twin, first.id) == [("refund", -1000, 0, -1000)]
    assert movements(twin, second.id) == []
    assert account_of(twin, charge) == (1001, False)


def test_only_a_refund_that_waits_for_the_buyer_can_be_canceled(
    twin: Twin, debit: stripe.Charge
) -> None:
    made = refund(twin, debit)
    with pytest.raises(stripe.InvalidRequestError, match="cannot be canceled"):
        twin.sdk.v1.refunds.cancel(made.id)

    twin.control(f"refunds/{made.id}", outcome="requires_action")
    waiting = read(twin, made.id)
    assert waiting.status == "requires_action"
    assert waiting.next_action is not None
    assert waiting.next_action.type == "display_details"
    before = len(twin.event_types())

    canceled = twin.sdk.v1.refunds.cancel(made.id)

    assert (canceled.status, getattr(canceled, "next_action", None)) == ("canceled", None)
    assert account_of(twin, debit) == (0, False)
    assert [moved[:2] for moved in movements(twin, made.id)] == [
        ("payment_refund", -3097),
        ("refund_failure", 3097),
    ]
    assert new_events(twin, before) == sorted(TWO_EVENTS)


def test_a_refund_from_the_dashboard_knows_nothing_of_the_shop(
    twin: Twin, charge: stripe.Charge
) -> None:
    made = twin.control("refunds", payment_intent=charge.payment_intent, amount=700)
    rest = twin.control("refunds", charge=charge.id)

    assert (made["amount"], made["metadata"], made["reason"]) == (700, {}, None)
    assert rest["amount"] == 2397
    assert account_of(twin, charge) == (3097, True)
    told = twin.sdk.v1.events.list(params={"type": "refund.created"}).data
    assert [event.data.object["amount"] for event in told] == [2397, 700]
    assert [event["request"]["id"] for event in told] == [None, None]


@pytest.mark.parametrize(
    ("what", "fields", "status"),
    [
        ("refunds", {"charge": "ch_1"}, 404),
        ("refunds", {"charge": "ch_1", "amount": "much"}, 400),
        ("refunds/re_1", {"outcome": "failed"}, 404),
        ("refunds/re_1", {"outcome": "lost"}, 400),
        ("refunds/re_1", {"outcome": "failed", "reason": "whim"}, 400),
    ],
)
def test_the_control_api_refuses_what_it_does_not_understand(
    twin: Twin, what: str, fields: dict[str, str], status: int
) -> None:
    with pytest.raises(requests.HTTPError, match=str(status)):
        twin.control(what, **fields)


def test_metadata_can_be_changed_later(twin: Twin, charge: stripe.Charge) -> None:
    made = refund(twin, charge, metadata={"a": "1", "b": "2"})
    before = len(twin.event_types())

    changed = twin.sdk.v1.refunds.update(made.id, params={"metadata": {"a": "", "c": "3"}})

    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert new_events(twin, before) == sorted(TWO_EVENTS)
    refused = twin.post(f"/v1/refunds/{made.id}", amount=1).json()["error"]
    assert refused["code"] == "parameter_unknown"


def test_refunds_are_listed_and_paged(twin: Twin, charge: stripe.Charge) -> None:
    mine = [refund(twin, charge, amount=1).id for _ in range(12)][::-1]
    twin.paid_session()
    other, _ = twin.sdk.v1.charges.list().data
    refund(twin, other)
    of_mine: Any = {"payment_intent": charge.payment_intent, "limit": 5}

    paged = list(twin.sdk.v1.refunds.list(params=of_mine).auto_paging_iter())
    expanded = twin.sdk.v1.charges.retrieve(charge.id, params={"expand": ["refunds"]}).refunds

    assert [made.id for made in paged] == mine
    assert len(twin.sdk.v1.refunds.list(params={"limit": 100}).data) == 13
    assert expanded is not None
    assert [made.id for made in expanded.data] == mine[:10]
    assert expanded.has_more
    last = twin.get(f"/v1/charges/{charge.id}/refunds", starting_after=mine[9]).json()
    assert [made["id"] for made in last["data"]] == mine[10:]
