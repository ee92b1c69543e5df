"""3-D Secure without a session: the bank asks on a page of its own, and leads back to the app."""

from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import stripe

from stripe_sandbox.tests.conftest import SECONDS, Twin
from stripe_sandbox.tests.intents import RETURN_URL, UNPAID, ask, confirm, see, standing
from stripe_sandbox.tests.sessions import answer, charges_of


@pytest.fixture(params=["pm_card_threeDSecure2Required", "pm_card_authenticationRequired"])
def question(twin: Twin, intent: stripe.PaymentIntent, request: pytest.FixtureRequest) -> str:
    return ask(twin, intent, request.param)


def test_a_bank_that_asks_is_answered_on_its_own_page(
    twin: Twin, intent: stripe.PaymentIntent, question: str
) -> None:
    now = see(twin, intent)
    shown = requests.get(question, timeout=SECONDS)

    assert standing(twin, intent) == ("requires_action", 0, [])
    assert now.next_action is not None
    assert now.next_action.to_dict() == {
        "type": "redirect_to_url",
        "redirect_to_url": {"return_url": RETURN_URL, "url": question},
    }
    assert question.startswith(f"{twin.url}/c/authenticate/{intent.id}/")
    assert "payment_intent.requires_action" in twin.event_types()
    assert shown.status_code == 200
    for text in ("Your bank asks you to confirm", "€30.97", "127.0.0.1:9"):
        assert text in shown.text
    assert "form-action 'self' http://127.0.0.1:9" in shown.headers["Content-Security-Policy"]
    assert "<script" not in shown.text


@pytest.mark.parametrize(
    ("said", "told", "left", "event"),
    [
        (
            "complete",
            "succeeded",
            ("succeeded", 3097, ["succeeded"]),
            "payment_intent.succeeded",
        ),
        ("fail", "failed", (UNPAID, 0, []), "payment_intent.payment_failed"),
    ],
)
def test_the_answer_leads_back_with_what_came_of_it(
    twin: Twin,
    intent: stripe.PaymentIntent,
    question: str,
    said: str,
    told: str,
    left: tuple[str, int, list[str]],
    event: str,
) -> None:
    sent = answer(question, said)

    assert sent.status_code == 303
    parts = urlsplit(sent.headers["Location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "http://127.0.0.1:9/returned"
    assert dict(parse_qsl(parts.query)) == {
        "order": "1",
        "payment_intent": intent.id,
        "payment_intent_client_secret": intent.client_secret,
        "redirect_status": told,
    }
    assert standing(twin, intent) == left
    assert event in twin.event_types()

    assert answer(question, "complete").status_code == 409
    again = requests.get(question, timeout=SECONDS)
    assert "There is nothing to confirm" in again.text
    assert f"redirect_status={told}" in again.text
    assert standing(twin, intent) == left


def test_a_confirmed_payment_says_so_in_its_charge(
    twin: Twin, intent: stripe.PaymentIntent, question: str
) -> None:
    answer(question, "complete")

    (charge,) = charges_of(twin, intent.id)
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.three_d_secure is not None
    assert charge.payment_method_details.card.three_d_secure.result == "authenticated"


def test_a_second_question_replaces_the_first_and_another_card_ends_it(
    twin: Twin, intent: stripe.PaymentIntent
) -> None:
    first, second = ask(twin, intent), ask(twin, intent)

    assert answer(first, "complete").status_code == 409
    assert standing(twin, intent) == ("requires_action", 0, [])
    confirm(twin, intent)
    assert answer(second, "complete").status_code == 409
    assert standing(twin, intent) == ("succeeded", 3097, ["succeeded"])


def test_a_question_is_a_new_try_that_forgets_the_last_refusal(
    twin: Twin, intent: stripe.PaymentIntent
) -> None:
    with pytest.raises(stripe.CardError):
        confirm(twin, intent, "pm_card_visa_chargeDeclined")

    ask(twin, intent)

    now = see(twin, intent)
    assert (now.status, now.last_payment_error) == ("requires_action", None)


def test_a_canceled_intent_asks_nothing_any_more(twin: Twin, intent: stripe.PaymentIntent) -> None:
    question = ask(twin, intent)

    twin.sdk.v1.payment_intents.cancel(intent.id)

    assert answer(question, "complete").status_code == 409
    assert standing(twin, intent) == ("canceled", 0, [])


def test_a_session_is_not_paid_behind_its_back(twin: Twin) -> None:
    session = twin.open_session()
    sent = twin.pay(session.url, card="4000 0000 0000 3220")
    read = twin.sdk.v1.checkout.sessions.retrieve(session.id)
    challenge = sent.headers["Location"].rsplit("/", 1)[1]

    there = answer(f"{twin.url}/c/authenticate/{read.payment_intent}/{challenge}", "complete")

    assert there.status_code == 404
    assert charges_of(twin, str(read.payment_intent)) == []
