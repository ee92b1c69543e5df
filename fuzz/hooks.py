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

_KNOWN: dict[str, list[str]] = json.loads(os.environ["FUZZ_KNOWN"])
_SHOP = os.environ["FUZZ_SHOP"]
_HEADERS: dict[str, str] = json.loads(os.environ["FUZZ_HEADERS"])
_SECONDS = 30
_dice = random.Random(1)  # noqa: S311


@schemathesis.hook
def before_call(context: HookContext, case: "Case[Any]", kwargs: dict[str, Any]) -> None:
    """Name things that there are, half of the time; each deed gets a key of its own."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid4())
    for part in (case.path_parameters, case.body):
        if isinstance(part, dict):
            _name_what_there_is(part)
    if isinstance(case.body, dict) and "fingerprint" in case.body:
        answer = requests.get(f"{_SHOP}/api/cart/", headers=_HEADERS, timeout=_SECONDS)
        assert answer.status_code == 200, answer.text  # noqa: S101
        cart = answer.json()
        case.body["fingerprint"] = cart["fingerprint"]


def _name_what_there_is(part: dict[str, Any]) -> None:
    for name in part:
        if name in _KNOWN and _dice.random() < 0.5:
            part[name] = _dice.choice(_KNOWN[name])
