"""Whatever shoppers, staff, banks, Stripe and the clock do, in whatever order: the books agree.

INVARIANT_EXAMPLES=1000 looks longer, and elsewhere each time; --hypothesis-seed=1 repeats a run.
"""

import os
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from payments.tests.machine.machine import Shop
from payments.tests.machine.world import die

EXAMPLES = int(os.environ.get("INVARIANT_EXAMPLES", "0"))


# Each example has a transaction of its own, which an outer one would hold together.
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("settings", "empty_queue")
def test_hold_after_every_step_and_agree_with_stripe_at_rest(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "kill", die)
    monkeypatch.setattr(Shop, "sandbox", sandbox, raising=False)
    run_state_machine_as_test(
        Shop,
        settings=hypothesis_settings(
            max_examples=EXAMPLES or 18, stateful_step_count=30, derandomize=not EXAMPLES
        ),
    )
