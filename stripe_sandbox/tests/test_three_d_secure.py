"""3-D Secure: the bank asks, and whatever is answered how often, money moves once at most."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests
import stripe

from stripe_sandbox.tests.conftest import ASKING, DECLINED, SECONDS, Twin
from stripe_sandbox.tests.sessions import PAID, answer, charges_of, intent_of


def see(page: str) -> requests.Response:
    return requests.get(page, timeout=SECONDS)


@pytest.fixture
def session(twin: Twin) -> stripe.checkout.Session:
    return twin.open_session()


@pytest.fixture
def page(session: stripe.checkout.Session) -> str:
    assert session.url is not None
    return session.url


@pytest.fixture
def question(twin: Twin, session: stripe.checkout.Session) -> str:
    """The address of the bank's question, in the middle of paying."""
    return ask(twin, session)


def ask(twin: Twin, session: stripe.checkout.Session) -> str:
    sent = twin.pay(session.url, card=ASKING)
    assert sent.status_code == 303
    return twin.url + sent.headers["Location"]


def outcome(twin: Twin, session: stripe.checkout.Session) -> tuple[str | None, str, str, int]:
    """Return the states of session and intent, and the number of charges that took money."""
    now = twin.sdk.v1.checkout.sessions.retrieve(session.id)
    intent = intent_of(twin, session.id)
    paid = [charge for charge in charges_of(twin, intent.id) if charge.paid]
    return now.status, now.payment_status, intent.status, len(paid)


OPEN = ("open", "unpaid", "requires_action", 0)
REFUSED = ("open", "unpaid", "requires_payment_method", 0)
COMPLETE = ("complete", "paid", "succeeded", 1)


def test_the_bank_asks_before_anything_is_charged(
    twin: Twin, session: stripe.checkout.Session, question: str
) -> None:
    shown = see(question)

    assert shown.status_code == 200
    assert "Your bank asks you to confirm" in shown.text
    assert "€30.97" in shown.text
    assert "127.0.0.1:9" in shown.text
    assert "form-action 'self' http://127.0.0.1:9" in shown.headers["Content-Security-Policy"]
    intent = intent_of(twin, session.id)
    assert outcome(twin, session) == OPEN
    assert (intent.latest_charge, intent.last_payment_error) == (None, None)
    assert intent.next_action is not None
    assert intent.next_action.to_dict() == {
        "type": "redirect_to_url",
        "redirect_to_url": {"return_url": session.url, "url": question},
    }
    assert sorted(twin.event_types()) == [
        "payment_intent.created",
        "payment_intent.requires_action",
    ]


def test_complete_pays_as_a_good_card_does(
    twin: Twin, session: stripe.checkout.Session, question: str
) -> None:
    sent = answer(question, "complete")

    assert sent.status_code == 303
    assert sent.headers["Location"] == f"http://127.0.0.1:9/success?session={session.id}"
    assert outcome(twin, session) == COMPLETE
    intent = intent_of(twin, session.id)
    assert intent.next_action is None
    (charge,) = charges_of(twin, intent.id)
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    confirmed = charge.payment_method_details.card.three_d_secure
    assert confirmed is not None
    assert (confirmed.authentication_flow, confirmed.result) == ("challenge", "authenticated")
    assert sorted(twin.event_types()) == sorted([*PAID, "payment_intent.requires_action"])


def test_fail_charges_nothing_and_leads_back_to_the_form_which_says_so(
    twin: Twin, session: stripe.checkout.Session, page: str, question: str
) -> None:
    sent = answer(question, "fail")

    assert (sent.status_code, twin.url + sent.headers["Location"]) == (303, page)
    assert "Your bank could not confirm that it was you" in see(page).text
    assert outcome(twin, session) == REFUSED
    intent = intent_of(twin, session.id)
    assert (intent.next_action, intent.payment_method, intent.latest_charge) == (None, None, None)
    error = intent.last_payment_error
    assert error is not None
    assert error.code == "payment_intent_authentication_failure"
    assert error.payment_method is not None
    assert twin.event_types()[0] == "payment_intent.payment_failed"


def test_after_a_failure_another_card_pays_once(
    twin: Twin, session: stripe.checkout.Session, question: str
) -> None:
    answer(question, "fail")

    assert twin.pay(session.url).status_code == 303

    assert outcome(twin, session) == COMPLETE
    (charge,) = charges_of(twin, intent_of(twin, session.id).id)
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.three_d_secure is None


def test_the_question_may_be_asked_again_and_then_only_the_new_one_counts(
    twin: Twin, session: stripe.checkout.Session, question: str
) -> None:
    again = ask(twin, session)

    assert again != question
    assert answer(question, "complete").status_code == 409
    assert outcome(twin, session) == OPEN
    assert answer(again, "complete").status_code == 303
    assert outcome(twin, session) == COMPLETE


@pytest.mark.parametrize("said", ["complete", "fail"])
def test_a_second_answer_or_a_step_back_changes_nothing(
    twin: Twin, session: stripe.checkout.Session, question: str, said: str
) -> None:
    answer(question, "complete")
    events = twin.event_types()

    assert answer(question, said).status_code == 409
    shown = see(question)

    assert shown.status_code == 200
    assert "This payment is complete" in shown.text
    assert outcome(twin, session) == COMPLETE
    assert twin.event_types() == events


def test_complete_after_fail_charges_nothing(
    twin: Twin, session: stripe.checkout.Session, question: str
) -> None:
    answer(question, "fail")

    sent = answer(question, "complete")

    assert sent.status_code == 409
    assert f'href="{urlsplit(session.url or "").path}"' in sent.text
    assert see(question).status_code == 200
    assert outcome(twin, session) == REFUSED


def test_many_answers_at_once_are_one_payment(
    twin: Twin, session: stripe.checkout.Session, question: str
) -> None:
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda said: answer(question, said), ["complete"] * 8))

    assert sorted(one.status_code for one in sent) == [303, *[409] * 7]
    assert outcome(twin, session) == COMPLETE


@pytest.mark.parametrize("card", ["4242 4242 4242 4242", DECLINED])
def test_another_card_during_the_question_answers_it(
    twin: Twin, session: stripe.checkout.Session, question: str, card: str
) -> None:
    twin.pay(session.url, card=card)
    before = outcome(twin, session)

    assert answer(question, "complete").status_code == 409

    assert before == (REFUSED if card == DECLINED else COMPLETE)
    assert outcome(twin, session) == before
    assert intent_of(twin, session.id).next_action is None


@pytest.mark.parametrize("by_the_shop", [True, False])
def test_a_session_that_ends_during_the_question_cannot_be_paid(
    twin: Twin, session: stripe.checkout.Session, question: str, by_the_shop: bool
) -> None:
    if by_the_shop:
        twin.sdk.v1.checkout.sessions.expire(session.id)
    else:
        twin.control("clock", advance=24 * 60 * 60)

    assert see(question).status_code == 410
    for said in ("complete", "fail"):
        assert answer(question, said).status_code == 410

    assert outcome(twin, session) == ("expired", "unpaid", "canceled", 0)
    assert intent_of(twin, session.id).next_action is None
    assert "payment_intent.canceled" in twin.event_types()


def test_an_answer_that_is_none_asks_again(
    twin: Twin, session: stripe.checkout.Session, question: str
) -> None:
    shown = answer(question, "perhaps")

    assert "Your bank asks you to confirm" in shown.text
    assert outcome(twin, session) == OPEN


def test_a_question_nobody_asked_is_not_answered(twin: Twin, page: str) -> None:
    assert answer(f"{page}/confirm/none", "complete").status_code == 409
    unknown = page.replace(urlsplit(page).path, "/c/pay/cs_test_none/confirm/none")
    assert see(unknown).status_code == 404


def test_a_lost_answer_of_the_bank_is_seen_on_the_next_look(
    twin: Twin, session: stripe.checkout.Session, question: str
) -> None:
    twin.control("faults", kind="drop_answer", path="/c/pay/", match="/confirm/")

    with pytest.raises(requests.ConnectionError):
        answer(question, "complete")

    assert "This payment is complete" in see(question).text
    assert outcome(twin, session) == COMPLETE
