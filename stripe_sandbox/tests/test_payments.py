"""Paying on the hosted page: what the buyer sees, and what Stripe's objects say afterwards."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import stripe

from stripe_sandbox.tests.conftest import DECLINED, SECONDS, Twin, line
from stripe_sandbox.tests.sessions import PAID, charges_of, intent_of


def test_a_good_card_pays_and_leads_back_to_the_shop(twin: Twin) -> None:
    opened = twin.open_session()

    answer = twin.pay(opened.url)

    assert answer.status_code == 303
    assert answer.headers["Location"] == f"http://127.0.0.1:9/success?session={opened.id}"
    assert "Set-Cookie" not in answer.headers
    session = twin.sdk.v1.checkout.sessions.retrieve(opened.id)
    assert (session.status, session.payment_status) == ("complete", "paid")
    assert session.url is None
    assert session.customer_details is not None
    assert session.customer_details.name == "A. Reader"
    intent = intent_of(twin, opened.id)
    assert (intent.status, intent.amount, intent.amount_received) == ("succeeded", 3097, 3097)
    assert intent.metadata.to_dict() == {"order": "ORDER-1"}
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert (intent.latest_charge.paid, intent.latest_charge.amount) == (True, 3097)
    assert intent.latest_charge.balance_transaction is None
    assert intent.latest_charge.metadata.to_dict() == {"order": "ORDER-1"}
    assert set(twin.event_types()) == PAID
    assert len(twin.event_types()) == 4


def test_the_fee_comes_a_moment_later(twin: Twin) -> None:
    session = twin.paid_session()

    twin.control("clock", advance=10)

    charge = intent_of(twin, session.id).latest_charge
    assert isinstance(charge, stripe.Charge)
    transaction = twin.sdk.v1.balance_transactions.retrieve(str(charge.balance_transaction))
    assert (transaction.amount, transaction.fee, transaction.net) == (3097, 71, 3026)
    assert [part.amount for part in transaction.fee_details] == [71]
    assert twin.event_types()[0] == "charge.updated"
    assert twin.event_types().count("charge.updated") == 1


def test_a_declined_card_leaves_the_session_open_for_a_good_one(twin: Twin) -> None:
    session = twin.open_session()

    declined = twin.pay(session.url, card=DECLINED)

    assert declined.status_code == 402
    assert "Your card was declined." in declined.text
    intent = intent_of(twin, session.id)
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.decline_code == "generic_decline"
    (failed,) = charges_of(twin, intent.id)
    assert (failed.status, failed.paid, failed.amount_captured) == ("failed", False, 0)
    assert set(twin.event_types()) == {
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    }
    assert twin.sdk.v1.checkout.sessions.retrieve(session.id).status == "open"

    assert twin.pay(session.url).status_code == 303

    paid = intent_of(twin, session.id)
    assert (paid.id, paid.status, paid.last_payment_error) == (intent.id, "succeeded", None)
    assert [charge.status for charge in charges_of(twin, intent.id)] == ["succeeded", "failed"]
    assert twin.event_types().count("payment_intent.created") == 1


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("4000 0000 0000 9995", "card_declined", "insufficient_funds"),
        ("4000000000000069", "expired_card", "expired_card"),
    ],
)
def test_each_test_card_has_its_own_reason(
    twin: Twin, card: str, code: str, decline_code: str
) -> None:
    session = twin.open_session()

    assert twin.pay(session.url, card=card).status_code == 402

    error = intent_of(twin, session.id).last_payment_error
    assert error is not None
    assert (error.code, error.decline_code) == (code, decline_code)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("card", "4111 1111 1111 1112", "card number is incorrect"),
        ("expiry", "13 / 30", "Enter the expiry date"),
        ("expiry", "01 / 20", "date is in the past"),
        ("cvc", "1", "security code"),
        ("email", "nobody", "Enter a valid email address"),
        ("name", "", "Enter the name"),
        ("method", "cash", "Choose how to pay"),
    ],
)
def test_a_wrong_field_is_said_beside_it_and_nothing_is_charged(
    twin: Twin, field: str, value: str, said: str
) -> None:
    session = twin.open_session()

    answer = twin.pay(session.url, **{field: value})

    assert answer.status_code == 422
    place = answer.text.index(said)
    assert f'id="id_{field}_error"' in answer.text[place - 100 : place]
    assert f'aria-describedby="id_{field}_error"' in answer.text
    assert twin.event_types() == []
    assert twin.sdk.v1.checkout.sessions.retrieve(session.id).payment_intent is None


def test_simultaneous_submits_charge_once(twin: Twin) -> None:
    session = twin.open_session()

    with ThreadPoolExecutor(8) as clicks:
        answers = list(clicks.map(lambda _: twin.pay(session.url), range(8)))

    assert sorted(answer.status_code for answer in answers) == [303] + [409] * 7
    assert len(charges_of(twin, intent_of(twin, session.id).id)) == 1
    assert len(twin.event_types()) == 4


def test_a_finished_session_shows_a_kind_page(twin: Twin) -> None:
    paid, expired = twin.open_session(), twin.open_session()
    assert twin.pay(paid.url).status_code == 303
    twin.sdk.v1.checkout.sessions.expire(expired.id)

    complete = requests.get(str(paid.url), timeout=SECONDS)
    over = requests.get(str(expired.url), timeout=SECONDS)
    unknown = requests.get(f"{twin.url}/c/pay/cs_test_none", timeout=SECONDS)

    assert (complete.status_code, over.status_code, unknown.status_code) == (200, 410, 404)
    assert "This payment is complete" in complete.text
    assert f'href="http://127.0.0.1:9/success?session={paid.id}"' in complete.text
    assert "This checkout has expired" in over.text
    assert 'href="http://127.0.0.1:9/cart"' in over.text


def test_a_bank_debit_is_paid_when_the_bank_says_so(twin: Twin) -> None:
    session = twin.open_session()

    assert twin.pay(session.url, card="", method="bank_debit").status_code == 303

    read = twin.sdk.v1.checkout.sessions.retrieve(session.id)
    intent = intent_of(twin, session.id)
    assert (read.status, read.payment_status, intent.status) == ("complete", "unpaid", "processing")
    assert "charge.succeeded" not in twin.event_types()

    twin.control(f"bank_debits/{intent.id}", outcome="succeeded")

    assert twin.sdk.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert intent_of(twin, session.id).amount_received == 3097
    assert set(twin.event_types()[:3]) == {
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.async_payment_succeeded",
    }
    twin.control("clock", advance=10)
    assert twin.event_types()[0] == "charge.updated"


def test_what_waits_for_a_bank_is_listed_whatever_the_weather(twin: Twin) -> None:
    session = twin.open_session()
    twin.pay(session.url, card="", method="bank_debit")
    intent = intent_of(twin, session.id)
    twin.control("faults", kind="refuse", path="/v1/")

    listed = twin.control("objects/payment_intent/processing", "GET")["data"]

    assert [(found["id"], found["status"]) for found in listed] == [(intent.id, "processing")]
    assert twin.control("objects/payment_intent/succeeded", "GET") == {"data": []}
    with pytest.raises(requests.HTTPError, match="404"):
        twin.control("objects/event/processing", "GET")


def test_a_bank_debit_may_fail_and_is_decided_once(twin: Twin) -> None:
    session = twin.open_session()
    twin.pay(session.url, card="", method="bank_debit")
    intent = intent_of(twin, session.id)

    twin.control(f"bank_debits/{intent.id}", outcome="failed")
    with pytest.raises(requests.HTTPError, match="409"):
        twin.control(f"bank_debits/{intent.id}", outcome="succeeded")

    read = twin.sdk.v1.checkout.sessions.retrieve(session.id)
    assert (read.status, read.payment_status) == ("complete", "unpaid")
    assert intent_of(twin, session.id).status == "requires_payment_method"
    assert set(twin.event_types()[:3]) == {
        "charge.failed",
        "payment_intent.payment_failed",
        "checkout.session.async_payment_failed",
    }
    assert [charge.status for charge in charges_of(twin, intent.id)] == ["failed"]


def test_a_session_for_cards_alone_offers_no_bank_debit(twin: Twin) -> None:
    session = twin.open_session(payment_method_types=["card"])

    page = requests.get(str(session.url), timeout=SECONDS)

    assert "Bank debit" not in page.text
    assert twin.pay(session.url, method="bank_debit").status_code == 422
    assert twin.event_types() == []


def test_the_page_shows_what_is_bought_and_keeps_its_address_secret(twin: Twin) -> None:
    session = twin.open_session(line_items=[line(quantity=2), line(500, 1)])

    page = requests.get(str(session.url), timeout=SECONDS)

    for text in ("Walden", "€25.98", "€12.99 each", "€5.00", "€4.99", "€35.97", "Sandbox"):
        assert text in page.text
    assert 'value="reader@example.com"' in page.text
    assert 'href="http://127.0.0.1:9/cart"' in page.text
    assert "Set-Cookie" not in page.headers
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "form-action 'self' http://127.0.0.1:9" in page.headers["Content-Security-Policy"]
    for name in ("checkout.css", "icon.svg"):
        assert requests.get(f"{twin.url}/c/{name}", timeout=SECONDS).status_code == 200


def test_a_currency_without_decimals_is_shown_and_charged_whole(twin: Twin) -> None:
    session = twin.open_session(line_items=[line(1200, 1, "jpy")], shipping_options=None)

    page = requests.get(str(session.url), timeout=SECONDS)
    twin.pay(session.url)

    assert "¥1,200" in page.text
    assert "¥1,200.00" not in page.text
    assert intent_of(twin, session.id).amount_received == 1200


def test_a_seed_repeats_the_order_of_events(twin: Twin) -> None:
    orders = []
    for seed in (1, 1, 2, 3, 4):
        twin.control("reset", seed=seed)
        twin.paid_session()
        orders.append(tuple(twin.event_types()))

    assert orders[0] == orders[1]
    assert len(set(orders)) > 1


def test_events_keep_what_was_and_can_be_picked_by_type(twin: Twin) -> None:
    session = twin.paid_session()
    events = twin.sdk.v1.events

    picked = events.list(params={"types": ["charge.succeeded", "charge.updated"]}).data
    by_pattern = events.list(params={"type": "payment_intent.*"}).data
    twin.control("clock", advance=10)
    (created,) = events.list(params={"type": "payment_intent.created"}).data
    (charged,) = events.list(params={"type": "charge.succeeded"}).data

    assert [event.type for event in picked] == ["charge.succeeded"]
    assert {event.type for event in by_pattern} == {
        "payment_intent.created",
        "payment_intent.succeeded",
    }
    assert created.data.object["status"] == "requires_payment_method"
    assert created.data.object["id"] == session.payment_intent
    assert charged.data.object["balance_transaction"] is None
    assert (created.livemode, created.pending_webhooks) == (False, 0)
    assert created.api_version == "2026-05-27.dahlia"
    assert events.retrieve(created.id).id == created.id
