"""`make fuzz-api`: call the API of a shop of its own as its document allows, and as it does not.

schemathesis judges each answer by every check that it has: no 5xx, nothing that the document does
not say, what is wrong is refused and what is right accepted, tokens are asked for. Afterwards the
audit looks whether any of it broke an invariant.
"""

import os
import sys
from contextlib import ExitStack

from e2e.demo import Demo
from fuzz.runs import callers, run

# All callers together.
LEAST = 3_000
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES") or 25)
SEED = int(os.environ.get("SEED") or 1)
# A walk along the document's links goes in circles before long: short ones see more.
_WALKS = [("stateful", 4 * EXAMPLES, SEED + number) for number in range(8)]
_RUNS = [("examples,coverage,fuzzing", EXAMPLES, SEED), *_WALKS]
_AUDIT = "from django.core.management import call_command; call_command('audit')"


def main() -> int:
    """Run it all and say what it came to; returns the exit code."""
    cases, failed = 0, 0
    with ExitStack() as stack:
        print("Starting a shop (a minute) ...", flush=True)
        demo = stack.enter_context(Demo.running(DJANGO_SETTINGS_MODULE="fuzz.settings"))
        for caller in callers(demo.shop_url, demo.admin_email, demo.admin_password):
            for phases, examples, seed in _RUNS:
                print(f"Calling as {caller.name}, {phases} ...", end=" ", flush=True)
                outcome = run(demo.shop_url, caller, phases=phases, examples=examples, seed=seed)
                said = "clean" if outcome.is_clean else f"FAILED\n{outcome.report}"
                print(f"{outcome.cases} cases, {said}", flush=True)
                cases += outcome.cases
                failed += not outcome.is_clean
        print(demo.run(_AUDIT))
    print(f"{cases} cases, {failed} runs failed")
    return 0 if cases >= LEAST and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
