"""The endpoints of PaymentIntents: a merchant's own, which a buyer confirms without our page.

A session's intent can be seen here; its session pays it, and ends it.
"""

from stripe_sandbox import cards, customers, objects
from stripe_sandbox.call import Call
from stripe_sandbox.errors import ApiError, PaymentFailed, invalid, missing, no_such
from stripe_sandbox.intent_params import (
    CANCEL_PARAMS,
    CONFIRM_PARAMS,
    UPDATE_PARAMS,
    check_amount,
    read_creation,
)
from stripe_sandbox.lists import PAGE_PARAMS, Conditions, field_is, page
from stripe_sandbox.params import changed_metadata, text
from stripe_sandbox.payments import Happened, Payer
from stripe_sandbox.store import Record

# States in which nothing has been paid yet, and nothing is on its way.
_WAITING = ("requires_payment_method", "requires_confirmation", "requires_action")
# What is shown to whoever has but the publishable key and an intent's client secret.
_SHOWN_TO_ALL = """
    id object amount amount_details automatic_payment_methods canceled_at cancellation_reason
    capture_method client_secret confirmation_method created currency description
    last_payment_error livemode next_action payment_method payment_method_configuration_details
    payment_method_types processing receipt_email setup_future_usage shipping status
"""
_NOBODY = Payer(email="", name="")


def create(call: Call) -> Record:
    at = call.twin.catch_up()
    params = read_creation(call.params)
    if "customer" in params:
        customers.require_for_payment(call.twin.store, params["customer"])
    intent = objects.payment_intent(params, at)
    if "payment_method" in params:
        _attach(call, intent, params["payment_method"], at)
    call.twin.store.save(intent)
    happened: Happened = [("payment_intent.created", dict(intent))]
    if params.get("confirm"):
        return _confirm(call, intent, params.get("return_url"), happened, at)
    call.twin.events.emit(happened, at, call.origin)
    return call.view(intent)


def list_all(call: Call) -> Record:
    call.twin.catch_up()
    filters = ("customer", "customer_account")
    params = call.read(PAGE_PARAMS | dict.fromkeys(filters, text))
    conditions: Conditions = []
    for name in params.keys() & set(filters):
        conditions += field_is(name, params[name])
    return call.views(page(call.twin.store, "payment_intent", call.path, params, conditions))


def read(call: Call, intent_id: str) -> Record:
    call.twin.catch_up()
    params = call.read({"client_secret": text})
    return _view(call, _found(call, intent_id, params))


def update(call: Call, intent_id: str) -> Record:
    call.twin.catch_up()
    changes = call.read(UPDATE_PARAMS)
    intent = _found(call, intent_id, {})
    if intent["status"] == "canceled":
        message = "This PaymentIntent could not be updated because it has a status of canceled."
        raise _unexpected_state(call, intent, message)
    if "amount" in changes:
        _require_own(intent)
        _require_waiting(call, intent, "This PaymentIntent's amount could not be updated")
        check_amount(changes["amount"], intent["currency"])
        call.twin.payments.ask_anew(intent)
    if "metadata" in changes:
        changes["metadata"] = changed_metadata(intent["metadata"], changes["metadata"])
    intent |= _as_kept(changes)
    call.twin.store.save(intent)
    return call.view(intent)


def confirm(call: Call, intent_id: str) -> Record:
    """Try to pay; raises PaymentFailed when the bank refuses."""
    at = call.twin.catch_up()
    params = call.read(CONFIRM_PARAMS)
    intent = _found(call, intent_id, params)
    _require_own(intent)
    _require_waiting(call, intent, "You cannot confirm this PaymentIntent")
    intent |= _as_kept(
        {name: params[name] for name in params.keys() & {"receipt_email", "shipping"}}
    )
    if "payment_method" in params:
        _attach(call, intent, params["payment_method"], at)
    return _confirm(call, intent, params.get("return_url"), [], at)


def cancel(call: Call, intent_id: str) -> Record:
    at = call.twin.catch_up()
    params = call.read(CANCEL_PARAMS)
    intent = _found(call, intent_id, {})
    _require_waiting(call, intent, "You cannot cancel this PaymentIntent")
    _require_own(intent)
    happened = call.twin.payments.cancel(intent, reason=params.get("cancellation_reason"), at=at)
    call.twin.events.emit(happened, at, call.origin)
    return call.view(intent)


# What a buyer's browser or app may call.
PUBLIC = (read, confirm)


def _confirm(
    call: Call, intent: Record, return_url: str | None, happened: Happened, at: int
) -> Record:
    if not intent["payment_method"]:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise _unexpected_state(call, intent, message)
    method = call.twin.store.get("payment_method", intent["payment_method"])
    _require_return_url(intent, method, return_url)
    page_url = f"{call.base_url}/c/authenticate/{intent['id']}"
    happened += call.twin.payments.pay(
        intent, method, page_url=page_url, return_url=return_url, at=at
    )
    call.twin.events.emit(happened, at, call.origin)
    if intent["status"] == "requires_payment_method":
        error = intent["last_payment_error"]
        kind, message = error["type"], error["message"]
        details = {name: error[name] for name in error.keys() - {"type", "message"}}
        raise PaymentFailed(402, message, kind=kind, payment_intent=_view(call, intent), **details)
    return _view(call, intent)


def _require_return_url(intent: Record, method: Record, return_url: str | None) -> None:
    automatic = intent["automatic_payment_methods"]
    if return_url:
        return
    if automatic and automatic["allow_redirects"] == "always":
        message = (
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard."
            " Because some of these payment methods might redirect your customer off of your page,"
            " you must provide a `return_url`."
        )
        raise invalid(message, "return_url")
    if method["_number"] == cards.ASKING_CARD:
        message = "The sandbox's bank asks on a page of its own: it needs a `return_url`"
        raise invalid(message, "return_url")


def _attach(call: Call, intent: Record, token: str, at: int) -> None:
    instrument = cards.TOKENS[token]
    if instrument.kind not in intent["payment_method_types"]:
        message = (
            f"The PaymentMethod provided ({instrument.kind}) is not allowed for this PaymentIntent."
        )
        code = "payment_intent_incompatible_payment_method"
        raise invalid(message, "payment_method", code)
    call.twin.payments.attach(intent, call.twin.payments.new_method(instrument, _NOBODY, at))


def _as_kept(told: Record) -> Record:
    if "shipping" in told:
        return told | {"shipping": objects.intent_shipping(told["shipping"])}
    return told


def _found(call: Call, intent_id: str, params: Record) -> Record:
    """Return the intent, if the caller may see it; raises ApiError."""
    intent = call.twin.store.find("payment_intent", intent_id)
    if intent is None:
        raise no_such("payment_intent", intent_id, "intent")
    if call.is_public and "client_secret" not in params:
        raise missing("client_secret")
    if params.get("client_secret", intent["client_secret"]) != intent["client_secret"]:
        message = "The client_secret provided does not match any associated PaymentIntent."
        raise invalid(message, "client_secret")
    return intent


def _view(call: Call, intent: Record) -> Record:
    view = call.view(intent)
    if call.is_public:
        return {name: view[name] for name in _SHOWN_TO_ALL.split()}
    return view


def _require_own(intent: Record) -> None:
    if intent["_session"]:
        raise ApiError(
            400,
            "You cannot perform this action on PaymentIntents created by Checkout. Try expiring"
            " the Checkout Session instead.",
            is_stored=True,
        )


def _require_waiting(call: Call, intent: Record, refusal: str) -> None:
    if intent["status"] not in _WAITING:
        message = (
            f"{refusal} because it has a status of {intent['status']}. Only a PaymentIntent with"
            f" one of the following statuses may be: {', '.join(_WAITING)}."
        )
        raise _unexpected_state(call, intent, message)


def _unexpected_state(call: Call, intent: Record, message: str) -> ApiError:
    return ApiError(
        400,
        message,
        code="payment_intent_unexpected_state",
        is_stored=True,
        payment_intent=_view(call, intent),
    )
