"""The endpoints of Stripe's API that the sandbox speaks."""

import json
import re
from collections.abc import Callable
from typing import Any

from stripe_sandbox import (
    account,
    customers,
    intents,
    objects,
    refund_endpoints,
    webhook_endpoints,
)
from stripe_sandbox.call import Call
from stripe_sandbox.errors import ApiError, invalid, no_such
from stripe_sandbox.lists import PAGE_PARAMS, Conditions, field_is, page
from stripe_sandbox.params import boolean, choice, fields, items, text
from stripe_sandbox.session_params import read_session_params
from stripe_sandbox.store import Record

Endpoint = Callable[..., Record]

# Every endpoint has accepted the event; one that nobody was to hear of counts as delivered.
_IS_DELIVERED = (
    "(NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = objects.id"
    " GROUP BY endpoint_id HAVING sum(state = 'delivered') = 0)) = ?"
)


def create_session(call: Call) -> Record:
    at = call.twin.catch_up()
    params = read_session_params(call.params, at)
    if "customer" in params:
        customers.require_for_payment(call.twin.store, params["customer"])
    session = call.twin.checkout.open_session(params, base_url=call.base_url, at=at)
    return call.view(session)


def list_sessions(call: Call) -> Record:
    call.twin.catch_up()
    params = call.read(
        PAGE_PARAMS
        | {
            "customer": text,
            "customer_account": text,
            "customer_details": fields({"email": text}, required=["email"]),
            "payment_intent": text,
            "payment_link": text,
            "status": choice("complete", "expired", "open"),
            "subscription": text,
        }
    )
    conditions: Conditions = []
    for name in params.keys() - PAGE_PARAMS.keys() - {"customer_details"}:
        conditions += field_is(name, params[name])
    if "customer_details" in params:
        conditions += field_is("customer_details.email", params["customer_details"]["email"])
    return call.views(page(call.twin.store, "checkout.session", call.path, params, conditions))


def read_session(call: Call, session_id: str) -> Record:
    call.twin.catch_up()
    call.read({})
    return call.view(_session(call, session_id))


def expire_session(call: Call, session_id: str) -> Record:
    at = call.twin.catch_up()
    call.read({})
    session = _session(call, session_id)
    return call.view(call.twin.checkout.expire(session, at=at, origin=call.origin))


def list_line_items(call: Call, session_id: str) -> Record:
    params = call.read({name: rule for name, rule in PAGE_PARAMS.items() if name != "created"})
    found = _session(call, session_id)["_items"]
    places = {item["id"]: place for place, item in enumerate(found)}
    for cursor in params.keys() & {"starting_after", "ending_before"}:
        if params[cursor] not in places:
            raise invalid(f"No such item: '{params[cursor]}'", cursor, "resource_missing")
    limit = params.get("limit", 10)
    if "ending_before" in params:
        rest = found[: places[params["ending_before"]]]
        chosen = rest[-limit:]
    else:
        rest = (
            found[places[params["starting_after"]] + 1 :] if "starting_after" in params else found
        )
        chosen = rest[:limit]
    return call.views(objects.listing(call.path, chosen, has_more=len(rest) > limit))


def list_charges(call: Call) -> Record:
    return _listed(call, "charge", ("customer", "payment_intent", "transfer_group"))


def list_refunds(call: Call) -> Record:
    return _listed(call, "refund", ("charge", "payment_intent"))


def list_disputes(call: Call) -> Record:
    return _listed(call, "dispute", ("charge", "payment_intent"))


def list_balance_transactions(call: Call) -> Record:
    """Nothing is ever paid out here, so no payout can be asked for."""
    if "payout" in call.params:
        raise no_such("payout", call.params["payout"], "payout")
    return _listed(call, "balance_transaction", ("currency", "source", "type"))


def list_events(call: Call) -> Record:
    call.twin.catch_up()
    params = call.read(
        PAGE_PARAMS | {"delivery_success": boolean, "type": text, "types": items(text, 20)}
    )
    if "type" in params and "types" in params:
        raise invalid("You may only specify one of type, types.", "types")
    kinds = params.get("types", [params["type"]] if "type" in params else [])
    conditions: Conditions = []
    if kinds:
        # One bound value per condition: the patterns, in which * stands for anything, as one list.
        conditions.append(
            (
                "EXISTS (SELECT 1 FROM json_each(?)"
                " WHERE json_extract(body, '$.type') GLOB json_each.value)",
                json.dumps(kinds),
            )
        )
    if "delivery_success" in params:
        conditions.append((_IS_DELIVERED, int(params["delivery_success"])))
    listed = page(call.twin.store, "event", call.path, params, conditions)
    listed["data"] = [_with_pending(call, event) for event in listed["data"]]
    return call.views(listed)


def read_event(call: Call, object_id: str) -> Record:
    return call.view(_with_pending(call, _found(call, "event", object_id)))


def _with_pending(call: Call, event: Record) -> Record:
    return event | {"pending_webhooks": call.twin.store.undelivered(event["id"])}


def _session(call: Call, session_id: str) -> Record:
    session = call.twin.store.find("checkout.session", session_id)
    if session is None:
        raise no_such("checkout.session", session_id, "session")
    return session


def _listed(call: Call, kind: str, filters: tuple[str, ...]) -> Record:
    call.twin.catch_up()
    params = call.read(PAGE_PARAMS | dict.fromkeys(filters, text))
    conditions: Conditions = []
    for name in filters:
        if name in params:
            conditions += field_is(name, params[name])
    return call.views(page(call.twin.store, kind, call.path, params, conditions))


def _found(call: Call, kind: str, object_id: str, param: str = "id") -> Record:
    call.twin.catch_up()
    call.read({})
    record = call.twin.store.find(kind, object_id)
    if record is None:
        raise no_such(kind, object_id, param)
    return record


def _reader(kind: str, param: str) -> Endpoint:
    def read(call: Call, object_id: str) -> Record:
        return call.view(_found(call, kind, object_id, param))

    return read


_ROUTES: list[tuple[str, str, Endpoint]] = [
    ("GET", r"/v1/account", account.read),
    ("GET", r"/v1/accounts/(?P<account_id>[^/]+)", account.read),
    ("GET", r"/v1/country_specs/(?P<country>[^/]+)", account.read_country),
    ("POST", r"/v1/checkout/sessions", create_session),
    ("GET", r"/v1/checkout/sessions", list_sessions),
    ("GET", r"/v1/checkout/sessions/(?P<session_id>[^/]+)", read_session),
    ("POST", r"/v1/checkout/sessions/(?P<session_id>[^/]+)/expire", expire_session),
    ("GET", r"/v1/checkout/sessions/(?P<session_id>[^/]+)/line_items", list_line_items),
    ("POST", r"/v1/payment_intents", intents.create),
    ("GET", r"/v1/payment_intents", intents.list_all),
    ("GET", r"/v1/payment_intents/(?P<intent_id>[^/]+)", intents.read),
    ("POST", r"/v1/payment_intents/(?P<intent_id>[^/]+)", intents.update),
    ("POST", r"/v1/payment_intents/(?P<intent_id>[^/]+)/confirm", intents.confirm),
    ("POST", r"/v1/payment_intents/(?P<intent_id>[^/]+)/cancel", intents.cancel),
    (
        "GET",
        r"/v1/payment_methods/(?P<object_id>[^/]+)",
        _reader("payment_method", "payment_method"),
    ),
    ("GET", r"/v1/charges", list_charges),
    ("GET", r"/v1/charges/(?P<object_id>[^/]+)", _reader("charge", "charge")),
    ("GET", r"/v1/charges/(?P<charge_id>[^/]+)/refunds", refund_endpoints.list_of_charge),
    ("POST", r"/v1/refunds", refund_endpoints.create),
    ("GET", r"/v1/refunds", list_refunds),
    ("GET", r"/v1/refunds/(?P<object_id>[^/]+)", _reader("refund", "id")),
    ("POST", r"/v1/refunds/(?P<refund_id>[^/]+)", refund_endpoints.update),
    ("POST", r"/v1/refunds/(?P<refund_id>[^/]+)/cancel", refund_endpoints.cancel),
    ("GET", r"/v1/disputes", list_disputes),
    ("GET", r"/v1/disputes/(?P<object_id>[^/]+)", _reader("dispute", "id")),
    ("GET", r"/v1/balance_transactions", list_balance_transactions),
    (
        "GET",
        r"/v1/balance_transactions/(?P<object_id>[^/]+)",
        _reader("balance_transaction", "id"),
    ),
    ("GET", r"/v1/events", list_events),
    ("GET", r"/v1/events/(?P<object_id>[^/]+)", read_event),
    ("POST", r"/v1/customers", customers.create),
    ("GET", r"/v1/customers", customers.list_all),
    ("GET", r"/v1/customers/(?P<customer_id>[^/]+)", customers.read),
    ("POST", r"/v1/customers/(?P<customer_id>[^/]+)", customers.update),
    ("DELETE", r"/v1/customers/(?P<customer_id>[^/]+)", customers.delete),
    ("POST", r"/v1/webhook_endpoints", webhook_endpoints.create),
    ("GET", r"/v1/webhook_endpoints", webhook_endpoints.list_all),
    ("GET", r"/v1/webhook_endpoints/(?P<endpoint_id>[^/]+)", webhook_endpoints.read),
    ("POST", r"/v1/webhook_endpoints/(?P<endpoint_id>[^/]+)", webhook_endpoints.update),
    ("DELETE", r"/v1/webhook_endpoints/(?P<endpoint_id>[^/]+)", webhook_endpoints.delete),
]


def route(method: str, path: str) -> tuple[Endpoint, dict[str, Any]]:
    """Return the endpoint of a request and the ids in its path; raises ApiError."""
    for known_method, pattern, endpoint in _ROUTES:
        if method == known_method and (match := re.fullmatch(pattern, path)):
            return endpoint, match.groupdict()
    raise ApiError(404, f"Unrecognized request URL ({method}: {path}).")
