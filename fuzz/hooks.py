"""Gives generated calls a hand, so that they get somewhere: what there is, and figures that fit.

Loaded by schemathesis; only what fits the document is touched.
"""

import json
import os
import random
from typing import Any
from uuid import uuid4

import requests
import schemathesis
from schemathesis import Case, GenerationMode, HookContext
from schemathesis.generation.meta import TestPhase

_KNOWN: dict[str, list[str]] = json.loads(os.environ["FUZZ_KNOWN"])
_SHOP = os.environ["FUZZ_SHOP"]
_HEADERS: dict[str, str] = json.loads(os.environ["FUZZ_HEADERS"])
_SECONDS = 30
_dice = random.Random(1)  # noqa: S311


@schemathesis.hook
def before_call(context: HookContext, case: "Case[Any]", kwargs: dict[str, Any]) -> None:
    """Name things that there are, half of the time; each deed gets a key of its own.

    A call that follows another mostly names what the other answered with.
    """
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid4())
    follows = case.meta.phase.name == TestPhase.STATEFUL
    _name_what_there_is(case.path_parameters, 0.2 if follows else 0.5)
    _name_what_there_is(case.query, 0.5)
    _name_what_there_is(case.body, 0.5)
    if isinstance(case.body, dict) and "fingerprint" in case.body:
        answer = requests.get(f"{_SHOP}/api/cart/", headers=_HEADERS, timeout=_SECONDS)
        assert answer.status_code == 200, answer.text  # noqa: S101
        cart = answer.json()
        case.body["fingerprint"] = cart["fingerprint"]


def _name_what_there_is(part: Any, chance: float) -> None:
    if not isinstance(part, dict):
        return
    for name in part:
        if name in _KNOWN and _dice.random() < chance:
            part[name] = _dice.choice(_KNOWN[name])
