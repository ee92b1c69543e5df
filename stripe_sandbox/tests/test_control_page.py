"""The control page: every switch as a plain form, for a browser of this machine alone."""

import re
from collections.abc import Callable
from html import unescape

import pytest
import requests

from stripe_sandbox.tests.conftest import SECONDS, Receiver, Twin
from stripe_sandbox.tests.sessions import SESSIONS


def page(twin: Twin) -> str:
    answer = requests.get(f"{twin.url}/_sandbox/", timeout=SECONDS)
    assert answer.status_code == 200
    return unescape(answer.text)


def send(
    twin: Twin, form: dict[str, str], headers: dict[str, str] | None = None
) -> requests.Response:
    """Send a form as the page's own would be sent, unless headers say otherwise."""
    return requests.post(
        f"{twin.url}/_sandbox/",
        data=form,
        headers={"Origin": twin.url} if headers is None else headers,
        allow_redirects=False,
        timeout=SECONDS,
    )


def press(twin: Twin, label: str, **filled: str) -> None:
    """Press the first button that says `label`, with the hidden fields of its form."""
    forms = re.findall(r"<form.*?</form>", page(twin), re.DOTALL)
    form = next(form for form in forms if re.search(rf"<button[^>]*>{label}\b", form))
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    button = re.search(rf'<button[^>]*name="(\w+)" value="(\w+)">{label}', form)
    if button:
        fields[button[1]] = button[2]
    answer = send(twin, fields | filled)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/_sandbox/#")


def statuses(twin: Twin) -> list[str]:
    """Return the states that the page shows, from its top to its bottom."""
    return re.findall(r'<span class="status status--\w+">([^<]+)</span>', page(twin))


def test_an_empty_sandbox_says_so(twin: Twin) -> None:
    text = page(twin)

    assert "Nobody has begun to pay yet." in text
    assert "None is on: the weather is fine." in text
    assert "No webhook endpoint is open, so nothing is sent." in text
    assert "Nothing has happened yet." in text


def test_it_needs_neither_cookie_nor_script(twin: Twin) -> None:
    twin.paid_session()
    answer = requests.get(f"{twin.url}/_sandbox/", timeout=SECONDS)

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert f"form-action 'self' {twin.url}" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "Set-Cookie" not in answer.headers
    assert not re.search(r"<script|style=", answer.text)
    assert requests.get(f"{twin.url}/_sandbox/control.css", timeout=SECONDS).status_code == 200


def test_a_fault_is_switched_on_shown_and_off(twin: Twin) -> None:
    slow_one = {"kind": "slow", "seconds": "0.5", "times": "3", "path": "/v1/a", "probability": "1"}
    send(twin, {"do": "add_fault"} | slow_one)
    send(twin, {"do": "add_fault", "kind": "wrong_amount", "by": "-2", "lasts": "1", "times": ""})

    slow, wrong = twin.faults()
    assert (slow["seconds"], slow["times"], slow["path"]) == (0.5, 3, "/v1/a")
    assert (wrong["by"], wrong["times"]) == (-2, None)
    text = re.sub(r"<[^>]+>", "", page(twin))
    assert "slow 3 times, path /v1/a, 0.5 s" in text
    assert "wrong_amount until switched off, by -2" in text
    press(twin, "All off")
    assert twin.faults() == []


def test_a_payment_is_refunded_and_the_refund_fails(twin: Twin) -> None:
    session = twin.paid_session()
    assert statuses(twin)[:2] == ["succeeded", "succeeded"]
    assert "ORDER-1" in page(twin)

    press(twin, "Refund", amount="1000")
    assert twin.control("books", "GET")["payments"][0]["sums"]["eur"]["refunded"] == 1000
    assert "€10.00" in page(twin)
    press(twin, "Fail")

    assert statuses(twin)[:3] == ["succeeded", "succeeded", "failed"]
    (charge,) = twin.get("/v1/charges", payment_intent=session.payment_intent).json()["data"]
    assert charge["amount_refunded"] == 0


def test_a_dispute_goes_its_way_by_buttons(twin: Twin) -> None:
    twin.paid_session()

    press(twin, "Inquire")
    assert statuses(twin)[2] == "warning needs response"
    press(twin, "Escalate")
    press(twin, "Answer it")
    assert statuses(twin)[2] == "under review"
    press(twin, "Win")

    assert statuses(twin)[2] == "won"
    sums = twin.control("books", "GET")["totals"]["eur"]
    assert (sums["disputed"], sums["won_back"]) == (3097, 3097)


@pytest.mark.parametrize(
    ("label", "status"), [("Bank pays", "succeeded"), ("Bank refuses", "requires payment method")]
)
def test_a_bank_debit_is_decided(twin: Twin, label: str, status: str) -> None:
    session = twin.open_session()
    assert f'href="{session.url}"' in page(twin)
    twin.pay(session.url, method="bank_debit")
    assert statuses(twin)[0] == "processing"

    press(twin, label)

    assert statuses(twin)[0] == status


def test_an_intent_without_session_is_shown_and_charged_again(twin: Twin) -> None:
    made = twin.post("/v1/payment_intents", amount=500, currency="jpy").json()
    paid = {"payment_method": "pm_card_visa", "return_url": "http://127.0.0.1:9/"}
    twin.post(f"/v1/payment_intents/{made['id']}/confirm", **paid)

    press(twin, "Charge again")

    assert statuses(twin)[:3] == ["succeeded"] * 3
    assert "¥500" in page(twin)


def test_the_clock_is_moved_and_all_is_forgotten(twin: Twin) -> None:
    session = twin.open_session()

    press(twin, "1 day on")
    assert statuses(twin)[0] == "expired"
    assert twin.get(f"{SESSIONS}/{session.id}").json()["status"] == "expired"
    press(twin, "Forget everything", seed="1")

    assert "Nobody has begun to pay yet." in page(twin)
    first = twin.open_session().id
    twin.control("reset", seed=1)
    assert twin.open_session().id == first


def test_events_show_their_tries_and_are_sent_again(
    start: Callable[..., Twin], receiver: Receiver
) -> None:
    twin = start(STRIPE_WEBHOOK_URL=receiver.url, STRIPE_WEBHOOK_BACKOFF="60")
    receiver.statuses = [500]
    twin.sdk.v1.checkout.sessions.expire(twin.open_session().id)
    twin.control("deliveries/flush")
    assert statuses(twin)[1] == "not delivered"

    press(twin, "Send again")

    assert receiver.next_event().id == receiver.next_event().id
    assert "2 tries, at last 200" in page(twin)
    assert receiver.url in page(twin)
    press(twin, "Forge")
    assert len(twin.tries()) == 3
    press(twin, "A foreign payment")
    assert len(twin.event_types()) == 5


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"do": "surprise"}, 404, "missing: 'surprise'"),
        ({"do": "add_fault", "kind": "slow", "seconds": "long"}, 400, "could not convert"),
        ({"do": "add_fault", "kind": "earthquake"}, 400, "kind must be one of"),
        ({"do": "refund", "charge": "ch_1"}, 404, "No such charge: 'ch_1'"),
        ({"do": "decide_bank_debit", "intent_id": "pi_1", "outcome": "failed"}, 404, "'pi_1'"),
    ],
)
def test_what_cannot_be_done_is_said(
    twin: Twin, form: dict[str, str], status: int, said: str
) -> None:
    answer = send(twin, form)

    assert answer.status_code == status
    assert re.search(r'<p class="alert" role="alert">That was not done: ', answer.text)
    assert said in unescape(answer.text)
    assert twin.faults() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": "evil.example"},
    ],
)
def test_a_page_from_elsewhere_cannot_steer_it(twin: Twin, headers: dict[str, str]) -> None:
    twin.control("faults", kind="slow", times=None)

    answer = send(twin, {"do": "clear_faults"}, headers)

    assert answer.status_code == 403
    assert len(twin.faults()) == 1
