"""Customers, as far as a shop that keeps no cards at Stripe needs them."""

from stripe_sandbox.call import Call
from stripe_sandbox.errors import ApiError, no_such
from stripe_sandbox.lists import PAGE_PARAMS, Conditions, field_is, page
from stripe_sandbox.objects import NO_ADDRESS, new_id
from stripe_sandbox.params import (
    Rule,
    address,
    changed_metadata,
    clearable,
    email,
    items,
    metadata_changes,
    not_here,
    short_text,
    text,
)
from stripe_sandbox.store import Record, Store

_not_kept = not_here("it keeps a customer's name, address and e-mail alone")
_KEPT: dict[str, Rule] = {
    "address": clearable(address),
    "description": clearable(text),
    "email": clearable(email),
    "metadata": metadata_changes,
    "name": clearable(short_text(256)),
    "phone": clearable(short_text(20)),
    "preferred_locales": items(text),
}
# The names are all that Stripe's API document lists, which a test holds.
_BOTH = """balance business_name cash_balance individual_name invoice_prefix invoice_settings
    next_invoice_sequence shipping source tax tax_exempt"""
_AT_FIRST = "payment_method tax_id_data test_clock"
_LATER = """bank_account card default_alipay_account default_bank_account default_card
    default_source"""
CREATE_PARAMS = _KEPT | dict.fromkeys(f"{_BOTH} {_AT_FIRST}".split(), _not_kept)
UPDATE_PARAMS = _KEPT | dict.fromkeys(f"{_BOTH} {_LATER}".split(), _not_kept)


def create(call: Call) -> Record:
    at = call.twin.catch_up()
    customer = _changed(_new(at), call.read(CREATE_PARAMS))
    call.twin.store.save(customer)
    call.twin.events.emit([("customer.created", customer)], at, call.origin)
    return call.view(customer)


def list_all(call: Call) -> Record:
    params = call.read(PAGE_PARAMS | {"email": text, "test_clock": text})
    conditions: Conditions = [("json_extract(body, '$.deleted') IS NOT ?", 1)]
    for name in params.keys() & {"email", "test_clock"}:
        conditions += field_is(name, params[name])
    return call.views(page(call.twin.store, "customer", call.path, params, conditions))


def read(call: Call, customer_id: str) -> Record:
    """A deleted customer is still told of, as one."""
    call.read({})
    customer = call.twin.store.find("customer", customer_id)
    if customer is None:
        raise no_such("customer", customer_id, "id")
    return customer if "deleted" in customer else call.view(customer)


def update(call: Call, customer_id: str) -> Record:
    at = call.twin.catch_up()
    customer = existing(call.twin.store, customer_id)
    customer = _changed(customer, call.read(UPDATE_PARAMS))
    call.twin.store.save(customer)
    call.twin.events.emit([("customer.updated", customer)], at, call.origin)
    return call.view(customer)


def delete(call: Call, customer_id: str) -> Record:
    at = call.twin.catch_up()
    call.read({})
    customer = existing(call.twin.store, customer_id)
    call.twin.events.emit([("customer.deleted", customer)], at, call.origin)
    gone = {"id": customer_id, "object": "customer", "deleted": True}
    call.twin.store.save(gone)
    return gone


def existing(store: Store, customer_id: str) -> Record:
    """Return a customer that was not deleted; raises ApiError."""
    customer = store.find("customer", customer_id)
    if customer is None or "deleted" in customer:
        raise no_such("customer", customer_id, "id")
    return customer


def require_for_payment(store: Store, customer_id: str) -> None:
    """Raise ApiError, as creating a session or an intent does, unless there is such a customer."""
    try:
        existing(store, customer_id)
    except ApiError as error:
        code = "resource_missing"
        raise ApiError(400, str(error), code=code, param="customer") from error


def _changed(customer: Record, changes: Record) -> Record:
    changed = customer | changes
    if "metadata" in changes:
        changed["metadata"] = changed_metadata(customer["metadata"], changes["metadata"])
    if changes.get("address"):
        changed["address"] = NO_ADDRESS | changes["address"]
    return changed


def _new(at: int) -> Record:
    nothing = """address currency customer_account default_source description discount email name
        phone shipping test_clock"""
    settings = ("custom_fields", "default_payment_method", "footer", "rendering_options")
    return {
        "id": new_id("cus_", 14),
        "object": "customer",
        **dict.fromkeys(nothing.split()),
        "balance": 0,
        "created": at,
        "delinquent": False,
        "invoice_prefix": new_id("", 8).upper(),
        "invoice_settings": dict.fromkeys(settings),
        "livemode": False,
        "metadata": {},
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
    }
