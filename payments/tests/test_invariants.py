"""Whatever shoppers, staff, banks, Stripe and the clock do, in whatever order: the books agree.

INVARIANT_EXAMPLES=1000 looks longer at each scene, and elsewhere each time; --hypothesis-seed=1
repeats a run.
"""

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import seed
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from payments.tests.machine.machine import Shop
from payments.tests.machine.scenes import SCENES
from payments.tests.machine.world import STEPS, die

EXAMPLES = int(os.environ.get("INVARIANT_EXAMPLES", "0"))


# Measuring would double its minutes, and each line that it runs is a test's of its own too.
@pytest.mark.no_cover
# Each example has a transaction of its own, which an outer one would hold together.
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("settings", "empty_queue")
@pytest.mark.parametrize("name", SCENES)
def test_hold_after_every_step_and_agree_with_stripe_at_rest(
    name: str, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "kill", die)
    scene, told = SCENES[name], Counter[str]()
    shop = type("Scene", (Shop,), {"scene": scene, "sandbox": sandbox, "told": told})
    run_state_machine_as_test(
        shop if EXAMPLES else seed(list(SCENES).index(name))(shop),
        settings=hypothesis_settings(
            max_examples=EXAMPLES or 19, stateful_step_count=20, derandomize=not EXAMPLES
        ),
    )

    done = {step for step in STEPS if told[f"{step} done"]}
    deaths = {what for what in told if what.startswith("died at ")}
    assert set(scene.does) - done == set()
    assert len(deaths) >= scene.deaths
    assert not scene.fails or told[f"met {scene.fails}"]


def test_each_step_must_be_done_in_some_scene() -> None:
    demanded = {step for scene in SCENES.values() for step in scene.does}

    assert set(STEPS) - demanded == set()
