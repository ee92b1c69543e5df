"""The account, changed on request: whoever checks his configuration must meet every answer."""

import pytest
import requests

from stripe_sandbox.tests.conftest import Twin


def test_what_the_account_may_do_is_changed_until_the_reset(twin: Twin) -> None:
    fresh = twin.get("/v1/account").json()
    capabilities = {"card_payments": "active", "sepa_debit_payments": "pending"}

    twin.control("account", charges_enabled=False, capabilities=capabilities)

    changed = {"charges_enabled": False, "capabilities": capabilities}
    assert twin.get("/v1/account").json() == fresh | changed
    twin.control("reset")
    assert twin.get("/v1/account").json() == fresh


def test_the_currencies_are_told_for_its_country_alone(twin: Twin) -> None:
    before = twin.get("/v1/country_specs/IE").json()["supported_payment_currencies"]

    twin.control("account", currencies=["gbp"])

    assert len(before) > 130
    assert twin.get("/v1/country_specs/IE").json()["supported_payment_currencies"] == ["gbp"]
    assert "_currencies" not in twin.get("/v1/account").json()
    assert twin.get("/v1/country_specs/US").status_code == 404


def test_what_an_account_has_not_is_refused(twin: Twin) -> None:
    with pytest.raises(requests.HTTPError) as refusal:
        twin.control("account", color="blue")

    assert refusal.value.response.json() == {"error": "unknown: color"}


def test_a_key_of_another_account_finds_nothing_here(twin: Twin) -> None:
    intent = twin.sdk.v1.payment_intents.create(params={"amount": 1299, "currency": "eur"})
    key = "pk_test_" + "elsewhere" * 3
    asked = f"{twin.url}/v1/payment_intents/{intent.id}?client_secret={intent.client_secret}"

    def answer() -> requests.Response:
        return requests.get(asked, headers={"Authorization": f"Bearer {key}"}, timeout=10)

    before = answer()
    twin.control("account", foreign_key=key)
    after = answer()

    assert (before.status_code, after.status_code) == (401, 404)
    assert after.json()["error"]["code"] == "resource_missing"
