"""A seed: the same calls give the same ids, the same order of events and the same weather."""

from collections.abc import Callable

from stripe_sandbox.tests.conftest import Twin
from stripe_sandbox.tests.sessions import SESSIONS


def _story(twin: Twin) -> list[object]:
    """Do some things and return all that could differ."""
    twin.control("faults", kind="rate_limit", path="/v1/account", times=None, probability=0.5)
    weather = [twin.get("/v1/account").status_code for _ in range(12)]
    twin.paid_session()
    twin.paid_session()
    sessions = twin.get(SESSIONS).json()["data"]
    events = twin.get("/v1/events").json()["data"]
    return [
        weather,
        [(session["id"], session["payment_intent"]) for session in sessions],
        [(event["id"], event["type"], event["data"]["object"]["id"]) for event in events],
    ]


def test_a_seed_repeats_ids_orders_and_weather(twin: Twin) -> None:
    stories = []
    for seed in (1, 1, 2, None):
        twin.control("reset", seed=seed)
        stories.append(_story(twin))

    assert stories[0] == stories[1]
    for one, two in [(1, 2), (2, 3), (1, 3)]:
        assert all(mine != other for mine, other in zip(stories[one], stories[two], strict=True))


def test_asking_in_between_does_not_change_the_ids(twin: Twin) -> None:
    ids = []
    for questions in (0, 3):
        twin.control("reset", seed=1)
        for _ in range(questions):
            twin.get("/v1/account")
        session = twin.paid_session()
        ids.append((session.id.removeprefix("cs_test_"), str(session.payment_intent)))

    assert ids[0] == ids[1]
    of_session, of_intent = ids[0]
    assert not of_session.startswith(of_intent.removeprefix("pi_"))


def test_a_start_with_a_seed_never_makes_an_id_again(start: Callable[..., Twin]) -> None:
    before = start("--seed", "1")
    first = before.open_session().id
    before.stop()

    after = start("--seed", "1")
    second = after.open_session().id
    after.control("reset", seed=1)

    assert second != first
    assert after.open_session().id == first
