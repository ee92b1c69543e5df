"""`expand[]`: ids become the objects they name, and parts that are left out are put in.

Source: https://docs.stripe.com/api/expanding_objects
"""

from typing import Any

from stripe_sandbox.errors import invalid
from stripe_sandbox.lists import field_is, page
from stripe_sandbox.objects import listing, public
from stripe_sandbox.store import Record, Store

# Fields that hold an id, by object, with the kinds of object it may name.
_NAMED = {
    "checkout.session": {
        "customer": "customer",
        "invoice": "invoice",
        "payment_intent": "payment_intent",
        "payment_link": "payment_link",
        "setup_intent": "setup_intent",
        "subscription": "subscription",
    },
    "charge": {
        "application": "application",
        "application_fee": "application_fee",
        "balance_transaction": "balance_transaction",
        "customer": "customer",
        "failure_balance_transaction": "balance_transaction",
        "on_behalf_of": "account",
        "payment_intent": "payment_intent",
        "review": "review",
        "source_transfer": "transfer",
    },
    "payment_intent": {
        "application": "application",
        "customer": "customer",
        "latest_charge": "charge",
        "on_behalf_of": "account",
        "payment_method": "payment_method",
        "review": "review",
    },
    "customer": {"default_source": "source", "test_clock": "test_clock"},
    "payment_method": {"customer": "customer"},
    "balance_transaction": {"source": "charge refund dispute"},
    "refund": {
        "balance_transaction": "balance_transaction",
        "charge": "charge",
        "failure_balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
        "source_transfer_reversal": "transfer_reversal",
        "transfer_reversal": "transfer_reversal",
    },
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "price": {"product": "product"},
    "product": {"default_price": "price", "tax_code": "tax_code"},
    "shipping_rate": {"tax_code": "tax_code"},
    "shipping_cost": {"shipping_rate": "shipping_rate"},
    "shipping_options": {"shipping_rate": "shipping_rate"},
}
# Parts of an object that may be walked through, and are no objects themselves.
_PARTS = {
    "checkout.session": {"shipping_cost", "shipping_options", "total_details"},
    "item": {"price"},
    "list": {"data"},
}
# Parts that are shown only when asked for, beside items and refunds; all are empty here.
_LEFT_OUT: dict[str, dict[str, Any]] = {
    "customer": {"sources": [], "subscriptions": [], "tax_ids": []},
    "item": {"discounts": [], "taxes": []},
    "shipping_cost": {"taxes": []},
    "total_details": {"breakdown": {"discounts": [], "taxes": []}},
}


def expanded(store: Store, record: Record, paths: list[str]) -> Record:
    """Return the public view of `record`, `paths` like "payment_intent.latest_charge" filled in.

    Raises ApiError for a path that does not lead to something expandable.
    """
    view = public(record)
    view["_items"] = record.get("_items", [])  # what `line_items` is made of
    for path in paths:
        _expand(store, view, view.get("object", ""), path.split("."), path)
    del view["_items"]
    return view


def _expand(store: Store, node: Any, kind: str, steps: list[str], path: str) -> None:
    if isinstance(node, list):
        for element in node:
            _expand(store, element, element.get("object", kind), steps, path)
        return
    if node is None or not steps:
        return
    step, rest = steps[0], steps[1:]
    if step in _NAMED.get(kind, {}):
        if isinstance(node.get(step), str):
            node[step] = public(_one_of(store, _NAMED[kind][step], node[step]))
    elif kind == "checkout.session" and step == "line_items":
        node.setdefault(step, _first_items(node))
    elif kind == "charge" and step == "refunds":
        node.setdefault(step, _latest_refunds(store, node))
    elif step in _LEFT_OUT.get(kind, {}):
        node.setdefault(step, _empty(kind, step, node))
    elif not (rest and step in _PARTS.get(kind, ())):
        raise invalid(f"This property cannot be expanded ({path}).", "expand")
    child = node.get(step)
    child_kind = child.get("object", step) if isinstance(child, dict) else step
    _expand(store, child, child_kind, rest, path)


def _one_of(store: Store, kinds: str, object_id: str) -> Record:
    for kind in kinds.split():
        if record := store.find(kind, object_id):
            return record
    raise KeyError(object_id)


def _latest_refunds(store: Store, charge: Record) -> Record:
    url = f"/v1/charges/{charge['id']}/refunds"
    return page(store, "refund", url, {}, field_is("charge", charge["id"]))


def _first_items(session: Record) -> Record:
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    items = session["_items"]
    return listing(url, [dict(item) for item in items[:10]], has_more=len(items) > 10)


def _empty(kind: str, step: str, node: Record) -> Any:
    if kind == "customer":
        return listing(f"/v1/customers/{node['id']}/{step}", [])
    return _LEFT_OUT[kind][step]
