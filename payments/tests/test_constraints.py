"""What the database itself refuses of payments, however it is written to."""

from typing import Any
from uuid import UUID

import pytest
from django.db.models import Model

from orders.tests.factories import PLACED_AT, PendingOrderFactory
from payments.models import (
    Checkpoint,
    Dispute,
    InboxEvent,
    LedgerEntry,
    PaymentAttempt,
    Refund,
    RefundLine,
    RefundRequest,
)
from payments.tests import support
from shop.tests.guards import (
    Violation,
    append_only_tables,
    assert_append_only,
    assert_refused,
    guards,
)

pytestmark = pytest.mark.django_db

FORM_KEY = UUID(int=1)


def wrong_sign(kind: str, amount_minor: int) -> Violation:
    return Violation(
        LedgerEntry, "ledger_sign_fits_kind", {"kind": kind, "amount_minor": amount_minor}
    )


VIOLATIONS = [
    Violation(PaymentAttempt, "payments_paymentattempt_key_key", same=("key",)),
    Violation(PaymentAttempt, "payments_paymentattempt_session_id_key", same=("session_id",)),
    Violation(PaymentAttempt, "payments_paymentattempt_intent_id_key", same=("intent_id",)),
    Violation(PaymentAttempt, "payments_paymentattempt_amount_minor_check", {"amount_minor": -1}),
    Violation(PaymentAttempt, "attempt_state_is_known", {"state": "lost", "closed_as": ""}),
    Violation(PaymentAttempt, "attempt_says_how_it_closed", {"closed_as": ""}),
    Violation(PaymentAttempt, "attempt_says_how_it_closed", {"state": "succeeded"}),
    Violation(
        PaymentAttempt,
        "attempt_open_checkout_has_session",
        {"state": "open", "closed_as": "", "session_id": None},
    ),
    Violation(
        PaymentAttempt,
        "attempt_open_checkout_has_session",
        {"state": "open", "closed_as": "", "url": ""},
    ),
    Violation(
        PaymentAttempt,
        "attempt_open_intent_has_secret",
        {"kind": "intent", "state": "open", "closed_as": "", "intent_id": None},
    ),
    Violation(
        PaymentAttempt,
        "attempt_open_intent_has_secret",
        {"kind": "intent", "state": "open", "closed_as": "", "client_secret": ""},
    ),
    *(
        Violation(PaymentAttempt, "attempt_one_live_per_order", {"state": state, "closed_as": ""})
        for state in ("created", "open", "processing")
    ),
    Violation(InboxEvent, "payments_inboxevent_event_id_key", same=("event_id",)),
    Violation(InboxEvent, "payments_inboxevent_attempts_check", {"attempts": -1}),
    Violation(InboxEvent, "inbox_state_is_known", {"state": "lost"}),
    Violation(Checkpoint, "payments_checkpoint_name_key", same=("name",)),
    Violation(Refund, "payments_refund_key_key", same=("key",)),
    Violation(Refund, "payments_refund_stripe_id_key", same=("stripe_id",)),
    Violation(Refund, "payments_refund_amount_minor_check", {"amount_minor": -1}),
    Violation(Refund, "refund_gives_something", {"amount_minor": 0}),
    Violation(Refund, "refund_state_is_known", {"state": "lost"}),
    Violation(Refund, "refund_currency_is_iso", {"currency": "eur"}),
    *(
        Violation(Refund, "refund_known_to_stripe", {"state": state, "stripe_id": None})
        for state in ("pending", "requires_action", "succeeded")
    ),
    Violation(RefundRequest, "payments_refundrequest_key_key", same=("key",)),
    Violation(RefundRequest, "payments_refundrequest_amount_minor_check", {"amount_minor": -1}),
    Violation(RefundRequest, "refund_request_gives_something", {"amount_minor": 0}),
    Violation(RefundRequest, "refund_request_decided_by_somebody", {"decision": "declined"}),
    Violation(RefundRequest, "refund_request_decided_by_somebody", {"decided_at": PLACED_AT}),
    Violation(
        RefundRequest,
        "refund_request_approved_by_another",
        {"decision": "approved", "decided_by_id": 1, "decided_at": PLACED_AT},
    ),
    Violation(RefundLine, "refund_line_once", same=("refund_id",)),
    Violation(RefundLine, "refund_line_has_quantity", {"quantity": 0}),
    Violation(RefundLine, "payments_refundline_quantity_check", {"quantity": -1}),
    Violation(RefundLine, "refund_line_handed_over_fits", {"handed_over": 2}),
    Violation(RefundLine, "payments_refundline_handed_over_check", {"handed_over": -1}),
    Violation(Dispute, "payments_dispute_stripe_id_key", same=("stripe_id",)),
    Violation(Dispute, "payments_dispute_amount_minor_check", {"amount_minor": -1}),
    Violation(Dispute, "dispute_currency_is_iso", {"currency": "eur"}),
    Violation(LedgerEntry, "ledger_once_per_stripe_object", same=("stripe_id",)),
    Violation(LedgerEntry, "ledger_currency_is_iso", {"currency": "eur"}),
    Violation(LedgerEntry, "ledger_currency_is_iso", {"currency": "EU"}),
    wrong_sign("capture", 0),
    wrong_sign("capture", -1),
    wrong_sign("refund", 1),
    wrong_sign("refund_reversal", -1),
    wrong_sign("dispute", 1),
    wrong_sign("dispute_reversal", -1),
    wrong_sign("tip", 1),
    Violation(
        LedgerEntry,
        "ledger_sign_fits_kind",
        {"kind": "manual", "stripe_id": None, "form_key": FORM_KEY, "amount_minor": 0},
    ),
    Violation(LedgerEntry, "ledger_names_its_source", {"stripe_id": None}),
    Violation(LedgerEntry, "ledger_names_its_source", {"form_key": FORM_KEY}),
    Violation(LedgerEntry, "ledger_names_its_source", {"kind": "manual"}),
    Violation(LedgerEntry, "ledger_names_its_source", {"kind": "manual", "stripe_id": None}),
]


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_the_database_refuses(violation: Violation) -> None:
    assert_refused(violation, *row_and_own_values(violation.model))


def test_a_manual_entrys_form_counts_once() -> None:
    attempt = an_attempt()
    entry = LedgerEntry.objects.create(
        order=attempt.order,
        kind="manual",
        amount_minor=1_690,
        currency="EUR",
        form_key=FORM_KEY,
        booked_at=PLACED_AT,
    )

    assert_refused(FORM_TWICE, entry, {"form_key": UUID(int=7)})


FORM_TWICE = Violation(LedgerEntry, "payments_ledgerentry_form_key_key", same=("form_key",))


def test_every_guard_is_put_to_the_test() -> None:
    assert guards("payments") == {violation.by for violation in [*VIOLATIONS, FORM_TWICE]}


def test_an_entry_of_the_ledger_is_never_edited_or_deleted() -> None:
    entry = a_capture(an_attempt())

    assert append_only_tables("payments") == {"payments_ledgerentry"}
    assert_append_only(entry, amount_minor=1)


def row_and_own_values(model: type[Model]) -> tuple[Model, dict[str, Any]]:
    """Return a valid row, and what a second one has to have of its own."""
    attempt = an_attempt()
    refund = a_refund(attempt, key=UUID(int=5))
    rows: dict[type[Model], tuple[Model, dict[str, Any]]] = {
        PaymentAttempt: (
            attempt,
            {
                "key": UUID(int=7),
                "state": "closed",
                "closed_as": "failed",
                "session_id": "cs_2",
                "intent_id": "pi_2",
            },
        ),
        InboxEvent: (
            InboxEvent.objects.create(
                event_id="evt_1",
                type="charge.updated",
                payload={},
                livemode=False,
                source="webhook",
                received_at=PLACED_AT,
            ),
            {"event_id": "evt_2"},
        ),
        Checkpoint: (
            Checkpoint.objects.create(name="events", reached_at=PLACED_AT),
            {"name": "refunds"},
        ),
        LedgerEntry: (a_capture(attempt), {"stripe_id": "ch_2"}),
        Refund: (refund, {"key": UUID(int=7), "stripe_id": "re_7"}),
        RefundLine: (
            RefundLine.objects.create(refund=refund, line=attempt.order.lines.get(), quantity=1),
            {"refund_id": a_refund(attempt, key=UUID(int=6)).pk},
        ),
        RefundRequest: (
            RefundRequest.objects.create(
                key=UUID(int=8),
                order=attempt.order,
                charge_id="ch_1",
                amount_minor=100,
                currency="EUR",
                why="other",
                asked_by_id=1,
                asked_at=PLACED_AT,
            ),
            {"key": UUID(int=9)},
        ),
        Dispute: (
            Dispute.objects.create(
                stripe_id="du_1",
                order=attempt.order,
                charge_id="ch_1",
                amount_minor=100,
                currency="EUR",
                reason="fraudulent",
                status="needs_response",
                opened_at=PLACED_AT,
            ),
            {"stripe_id": "du_2"},
        ),
    }
    return rows[model]


def an_attempt() -> PaymentAttempt:
    return support.attempt_row(
        PendingOrderFactory(),
        state="open",
        session_id="cs_1",
        intent_id="pi_1",
        url="https://checkout.stripe.com/c/pay/cs_1",
        client_secret="pi_1_secret_1",
    )


def a_capture(attempt: PaymentAttempt) -> LedgerEntry:
    return LedgerEntry.objects.create(
        order=attempt.order,
        attempt=attempt,
        kind="capture",
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        stripe_id="ch_1",
        booked_at=PLACED_AT,
    )


def a_refund(attempt: PaymentAttempt, *, key: UUID) -> Refund:
    return Refund.objects.create(
        key=key,
        order=attempt.order,
        charge_id="ch_1",
        intent_id="pi_1",
        amount_minor=100,
        currency="EUR",
        source="staff",
        why="other",
        stripe_id=f"re_{key.int}",
        created_at=PLACED_AT,
    )
