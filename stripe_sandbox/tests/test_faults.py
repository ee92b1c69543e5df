"""Bad weather: each fault does what its name says, as often as it was told, and then ends."""

import time
from typing import Any

import pytest
import requests
import stripe
from urllib3.exceptions import ProtocolError

from stripe_sandbox.tests.conftest import DECLINED, SECONDS, SECRET_KEY, Twin
from stripe_sandbox.tests.sessions import SESSIONS, count, create


def test_a_dropped_answer_was_done_and_can_be_asked_for_again(twin: Twin) -> None:
    twin.control("faults", kind="drop_answer", method="POST", path=SESSIONS)

    with pytest.raises(stripe.APIConnectionError):
        create(twin, "key")

    assert count(twin) == 1
    create(twin, "key")
    assert count(twin) == 1


def test_a_refused_connection_did_nothing(twin: Twin) -> None:
    twin.control("faults", kind="refuse", method="POST", path=SESSIONS)

    with pytest.raises(stripe.APIConnectionError):
        create(twin, "key")

    assert count(twin) == 0
    create(twin, "key")
    assert count(twin) == 1


@pytest.mark.parametrize(("kind", "done"), [("error_before", 0), ("error_after", 1)])
def test_a_server_error_is_replayed_whether_the_work_was_done_or_not(
    twin: Twin, kind: str, done: int
) -> None:
    twin.control("faults", kind=kind, method="POST", path=SESSIONS)

    with pytest.raises(stripe.APIError) as first:
        create(twin, "key")
    with pytest.raises(stripe.APIError) as second:
        create(twin, "key")

    assert (first.value.http_status, second.value.http_status) == (500, 500)
    assert second.value.headers is not None
    assert second.value.headers["Idempotent-Replayed"] == "true"
    assert count(twin) == done
    create(twin, "another")
    assert count(twin) == done + 1


@pytest.mark.parametrize(("kind", "status"), [("rate_limit", 429), ("conflict", 409)])
def test_a_request_turned_away_leaves_its_key_free(twin: Twin, kind: str, status: int) -> None:
    twin.control("faults", kind=kind, path=SESSIONS)

    with pytest.raises(stripe.StripeError) as refusal:
        create(twin, "key")

    assert refusal.value.http_status == status
    assert count(twin) == 0
    create(twin, "key")
    assert count(twin) == 1


def test_a_slow_answer_takes_its_time(twin: Twin) -> None:
    twin.control("faults", kind="slow", method="GET", path="/v1/account", seconds=0.5)
    began = time.monotonic()

    twin.get("/v1/account")

    assert time.monotonic() - began >= 0.5


def test_faults_strike_by_method_path_pattern_and_number(twin: Twin) -> None:
    twin.control("faults", kind="rate_limit", method="GET", match="sessions/cs_.*/line", times=2)
    session = twin.open_session()
    path = f"{SESSIONS}/{session.id}"

    statuses = [
        twin.get(where).status_code
        for where in (path, f"{path}/line_items", f"{path}/line_items", f"{path}/line_items")
    ]

    assert statuses == [200, 429, 429, 200]
    assert twin.faults() == []


def test_a_fault_without_number_lasts_until_cleared(twin: Twin) -> None:
    twin.control("faults", kind="error_before", path="/v1/account", times=None)

    assert [twin.get("/v1/account").status_code for _ in range(3)] == [500] * 3
    (shown,) = twin.faults()
    assert (shown["kind"], shown["times"]) == ("error_before", None)
    twin.control("faults", "DELETE")
    assert twin.get("/v1/account").status_code == 200


def test_a_seeded_probability_repeats_itself(twin: Twin) -> None:
    def weather() -> list[int]:
        twin.control("reset")
        twin.control("faults", kind="rate_limit", times=None, probability=0.5, seed=7)
        return [twin.get("/v1/account").status_code for _ in range(12)]

    first = weather()

    assert set(first) == {200, 429}
    assert weather() == first


def test_faults_strike_the_hosted_page_too(twin: Twin) -> None:
    session = twin.open_session()
    twin.control("faults", kind="drop_answer", method="POST", path="/c/pay/")

    with pytest.raises(requests.ConnectionError):
        twin.pay(session.url)

    assert twin.sdk.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert twin.pay(session.url).status_code == 409


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "earthquake"},
        {"kind": "slow", "surprise": 1},
        {"kind": "slow", "seconds": "long"},
        {"kind": "slow", "seconds": -1},
        {"kind": "slow", "match": "("},
        {"kind": "wrong_currency", "currency": "xyz"},
        {},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(twin: Twin, fault: dict[str, object]) -> None:
    answer = requests.post(f"{twin.url}/_sandbox/faults", json=fault, timeout=SECONDS)

    assert answer.status_code == 400
    assert twin.faults() == []


def test_a_browser_cannot_steer_the_control_api(twin: Twin) -> None:
    session = twin.open_session()

    answer = requests.post(
        f"{twin.url}/_sandbox/reset", headers={"Origin": "https://evil.example"}, timeout=SECONDS
    )

    assert answer.status_code == 403
    assert twin.sdk.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_an_answer_that_is_cut_was_done_and_can_be_asked_for_again(twin: Twin) -> None:
    twin.control("faults", kind="cut", method="POST", path=SESSIONS)

    with pytest.raises(stripe.APIConnectionError):
        create(twin, "key")

    assert count(twin) == 1
    create(twin, "key")
    assert count(twin) == 1


def test_a_cut_answer_breaks_off_in_the_middle(twin: Twin) -> None:
    whole = twin.get("/v1/account").content
    twin.control("faults", kind="cut", path="/v1/account")

    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    with requests.get(
        f"{twin.url}/v1/account", headers=headers, stream=True, timeout=SECONDS
    ) as answer:
        assert answer.headers["Content-Length"] == str(len(whole))
        assert answer.raw.read(len(whole) // 2) == whole[: len(whole) // 2]
        with pytest.raises(ProtocolError):
            answer.raw.read()


def test_a_stale_read_shows_all_as_it_was_before_the_last_change(twin: Twin) -> None:
    session = twin.open_session()
    assert twin.pay(session.url, card=DECLINED).status_code == 402
    assert twin.pay(session.url).status_code == 303
    path, expand = f"{SESSIONS}/{session.id}", {"expand[]": "payment_intent.latest_charge"}
    twin.control("faults", kind="stale_read", path=path, times=2)

    stale = [twin.get(path, **expand).json() for _ in range(2)]
    fresh = twin.get(path, **expand).json()

    def told(read: dict[str, Any]) -> list[str]:
        intent = read["payment_intent"]
        return [read["status"], intent["status"], intent["latest_charge"]["status"]]

    assert [told(read) for read in stale] == [["open", "requires_payment_method", "failed"]] * 2
    assert told(fresh) == ["complete", "succeeded", "succeeded"]


def test_a_stale_list_lags_by_the_latest_change_alone(twin: Twin) -> None:
    paid, other = twin.paid_session(), twin.open_session()
    twin.sdk.v1.checkout.sessions.expire(other.id)
    twin.control("faults", kind="stale_read", path=SESSIONS)
    twin.post(f"{SESSIONS}/{paid.id}/expire")  # a POST is never stale

    statuses = [
        {entry["id"]: entry["status"] for entry in twin.get(SESSIONS).json()["data"]}
        for _ in range(2)
    ]

    assert statuses == [
        {paid.id: "complete", other.id: "open"},
        {paid.id: "complete", other.id: "expired"},
    ]


def test_a_stale_read_of_what_never_changed_shows_it_as_it_is(twin: Twin) -> None:
    session = twin.open_session()
    twin.control("faults", kind="stale_read", times=3)

    assert twin.get(f"{SESSIONS}/{session.id}").json()["status"] == "open"
    assert twin.get("/v1/account").status_code == 200
    assert len(twin.get(f"{SESSIONS}/{session.id}/line_items").json()["data"]) == 1
