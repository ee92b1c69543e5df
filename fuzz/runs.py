"""Runs of schemathesis against a shop that is at work: as nobody, a guest, a buyer and staff."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

PROJECT = Path(__file__).resolve().parent.parent
_CONFIG = PROJECT / "fuzz/schemathesis.toml"
_SECONDS = 30
# Of an account that lives for a run; no example of the document must hit upon it.
_PASSWORD = str(uuid4())
ADDRESS = {
    "name": "Ada Reader",
    "line1": "1 Long Lane",
    "postal_code": "10115",
    "city": "Berlin",
    "country": "DE",
}
# It would end the very sign-in that the other calls are made with.
_ENDS_SIGN_IN = "signOut"


@dataclass(frozen=True)
class Caller:
    """Who calls, and what there is for him to call about."""

    name: str
    headers: dict[str, str] = field(default_factory=dict)
    known: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a run came to; `report` is all that schemathesis said."""

    cases: int
    is_clean: bool
    report: str


def callers(shop: str, staff_email: str, staff_password: str) -> list[Caller]:
    """Return nobody, a guest, a buyer and one of the staff of the shop at this address.

    Guest and buyer have a cart and an order each.
    """
    found = _ask("GET", f"{shop}/api/products/?page_size=20&in_stock=true")["results"]
    slugs = [product["slug"] for product in found]
    shown = _ask("GET", f"{shop}/api/products/{slugs[0]}/")
    sku = next(variant["sku"] for variant in shown["variants"] if variant["free"])
    shelves = [shelf["slug"] for shelf in shown["categories"]]
    known = {"slug": slugs, "sku": [sku], "category": shelves, "parent": shelves, "page": ["1"]}
    tokens = _ask(
        "POST",
        f"{shop}/api/auth/register/",
        json={"email": f"{uuid4()}@example.com", "password": _PASSWORD},
    )
    staff = _ask(
        "POST",
        f"{shop}/api/auth/login/",
        json={"email": staff_email, "password": staff_password},
    )
    guest, guests_order = _with_order(shop, sku, {})
    buyer, buyers_order = _with_order(
        shop, sku, {"Authorization": f"Bearer {tokens['access_token']}"}
    )
    numbers = [guests_order, buyers_order]
    return [
        Caller("nobody", {}, known),
        Caller("a guest", guest, known | {"number": [guests_order]}),
        Caller("a buyer", buyer, known | {"number": [buyers_order]}),
        Caller(
            "staff",
            {"Authorization": f"Bearer {staff['access_token']}"},
            known | {"number": numbers},
        ),
    ]


def _with_order(shop: str, sku: str, headers: dict[str, str]) -> tuple[dict[str, str], str]:
    """Put something into a cart and order it; return who it was, and the order's number."""
    cart = _ask("POST", f"{shop}/api/cart/lines/", json={"sku": sku}, headers=headers)
    if cart["token"]:
        headers = headers | {"Cart-Token": cart["token"]}
    order = _ask(
        "POST",
        f"{shop}/api/orders/",
        json={
            "email": "reader@example.com",
            "shipping_address": ADDRESS,
            "fingerprint": cart["fingerprint"],
        },
        headers=headers | {"Idempotency-Key": str(uuid4())},
    )
    if cart["token"]:
        headers = headers | {"Order-Token": order["token"]}
    return headers, order["number"]


def _ask(method: str, url: str, **how: Any) -> Any:
    answer = requests.request(method, url, timeout=_SECONDS, **how)
    answer.raise_for_status()
    return answer.json()


def run(shop: str, caller: Caller, *, phases: str, examples: int, seed: int) -> Outcome:
    """Call every operation of the shop's document in the name of a caller."""
    command = [Path(sys.executable).with_name("schemathesis"), "--config-file", _CONFIG, "run"]
    command += [f"{shop}/api/schema/", "--url", shop, "--phases", phases]
    command += ["--max-examples", str(examples), "--seed", str(seed), "--no-color"]
    for name, value in caller.headers.items():
        command += ["--header", f"{name}: {value}"]
    if "Authorization" in caller.headers:
        command += ["--exclude-operation-id", _ENDS_SIGN_IN]
    done = subprocess.run(
        list(map(str, command)),
        cwd=PROJECT,
        env=os.environ
        | {
            "SCHEMATHESIS_HOOKS": "fuzz.hooks",
            "FUZZ_SHOP": shop,
            "FUZZ_KNOWN": json.dumps(caller.known),
            "FUZZ_HEADERS": json.dumps(caller.headers),
            "PYTHONPATH": str(PROJECT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    counted = re.search(r"^ *(\d+) generated", done.stdout, re.MULTILINE)
    return Outcome(int(counted[1]) if counted else 0, done.returncode == 0, done.stdout)
