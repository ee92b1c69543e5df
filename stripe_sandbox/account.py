"""The account whose key it is, and what its country may take; the control API changes both.

POST /_sandbox/account   {"charges_enabled": false, "capabilities": {"card_payments": "inactive"},
                          "currencies": ["usd"], "foreign_key": "pk_test_..."}: what is given
                         replaces what was; a foreign key is another account's publishable one
"""

from typing import Any

from stripe_sandbox import currencies, objects
from stripe_sandbox.call import Call
from stripe_sandbox.errors import no_such
from stripe_sandbox.store import Record, Store
from stripe_sandbox.twin import Twin

_CHANGEABLE = {
    "charges_enabled": "charges_enabled",
    "capabilities": "capabilities",
    "currencies": "_currencies",
    "foreign_key": "_foreign_key",
}
_NOTHING_MORE: dict[str, list[str]] = {"additional": [], "minimum": []}


def read(call: Call, account_id: str = objects.ACCOUNT_ID) -> Record:
    call.read({})
    if account_id != objects.ACCOUNT_ID:
        raise no_such("account", account_id, "account")
    return call.view(_account(call.twin.store))


def read_country(call: Call, country: str) -> Record:
    """Tell what may be done in a country, which must be the account's own."""
    call.read({})
    account = _account(call.twin.store)
    if country != account["country"]:
        raise no_such("country_spec", country, "country")
    return {
        "id": country,
        "object": "country_spec",
        "default_currency": account["default_currency"],
        "supported_bank_account_currencies": {account["default_currency"]: [country]},
        "supported_payment_currencies": account["_currencies"],
        "supported_payment_methods": ["card", "stripe"],
        "supported_transfer_countries": [country],
        "verification_fields": {"company": _NOTHING_MORE, "individual": _NOTHING_MORE},
    }


def foreign_key(store: Store) -> str:
    """Return the publishable key of an account that has nothing of ours; empty for none."""
    return str(_account(store)["_foreign_key"])


def change(twin: Twin, fields: Any) -> dict[str, Any]:
    """Let the account be another; raises ValueError for what it does not understand."""
    if unknown := fields.keys() - _CHANGEABLE.keys():
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    with twin.store.transaction():
        changes = {_CHANGEABLE[name]: value for name, value in fields.items()}
        account = _account(twin.store) | changes
        twin.store.save(account)
    return objects.public(account)


def _account(store: Store) -> Record:
    notes = {"_currencies": sorted(currencies.SUPPORTED), "_foreign_key": ""}
    return store.find("account", objects.ACCOUNT_ID) or objects.account() | notes
