"""Everything that is said to Stripe; the only package of ours that imports its library.

Reads come back as frozen facts, failures as a few errors of our own, none of which carries Stripe's
message to a page. Never call this with a transaction open.
"""

from payments.gateway.account import (
    Account,
    own_account,
    payment_currencies,
    publishable_key_opens,
    time_at_stripe,
    try_publishable_key,
)
from payments.gateway.books import ListedCharge, all_charges, all_disputes, all_refunds
from payments.gateway.client import client, configure_library, ping
from payments.gateway.endpoints import (
    Endpoint,
    create_endpoint,
    delete_endpoint,
    list_endpoints,
    signature,
    update_endpoint,
)
from payments.gateway.errors import (
    BadEmail,
    Busy,
    GatewayError,
    KeyInUse,
    Missing,
    NotAllowed,
    NotAvailable,
    Refused,
    ReplayedFailure,
    Unreachable,
    failures,
)
from payments.gateway.events import events_since
from payments.gateway.facts import (
    Amount,
    BalanceTransaction,
    Charge,
    Dispute,
    Intent,
    Refund,
    Session,
)
from payments.gateway.intents import (
    cancel_intent,
    create_intent,
    intent_of_attempt,
    retrieve_intent,
)
from payments.gateway.money_back import (
    create_refund,
    disputes_of_charge,
    disputes_of_intent,
    refunds_of_charge,
    refunds_of_intent,
)
from payments.gateway.sessions import (
    create_session,
    expire_session,
    retrieve_session,
    session_of_attempt,
    session_of_intent,
)

__all__ = [
    "Account",
    "Amount",
    "BadEmail",
    "BalanceTransaction",
    "Busy",
    "Charge",
    "Dispute",
    "Endpoint",
    "GatewayError",
    "Intent",
    "KeyInUse",
    "ListedCharge",
    "Missing",
    "NotAllowed",
    "NotAvailable",
    "Refund",
    "Refused",
    "ReplayedFailure",
    "Session",
    "Unreachable",
    "all_charges",
    "all_disputes",
    "all_refunds",
    "cancel_intent",
    "client",
    "configure_library",
    "create_endpoint",
    "create_intent",
    "create_refund",
    "create_session",
    "delete_endpoint",
    "disputes_of_charge",
    "disputes_of_intent",
    "events_since",
    "expire_session",
    "failures",
    "intent_of_attempt",
    "list_endpoints",
    "own_account",
    "payment_currencies",
    "ping",
    "publishable_key_opens",
    "refunds_of_charge",
    "refunds_of_intent",
    "retrieve_intent",
    "retrieve_session",
    "session_of_attempt",
    "session_of_intent",
    "signature",
    "time_at_stripe",
    "try_publishable_key",
    "update_endpoint",
]
