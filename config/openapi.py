"""What the API's OpenAPI document says of the shop as a whole, and how it names its enums."""

from pathlib import Path
from typing import Any

_INTRODUCTION = Path(__file__).parent.parent / "api/introduction.md"


def settings(*, shop_name: str, site_url: str) -> dict[str, Any]:
    """Return drf-spectacular's settings."""
    return {
        "TITLE": f"{shop_name}: the API",
        "DESCRIPTION": _INTRODUCTION.read_text(),
        "VERSION": "1",
        "OAS_VERSION": "3.1.0",
        "SERVERS": [{"url": site_url}],
        "SCHEMA_PATH_PREFIX": "/api",
        "COMPONENT_SPLIT_REQUEST": True,
        "TAGS": [
            {"name": "auth", "description": "Accounts, and the tokens that stand for a sign-in"},
            {"name": "products", "description": "What is for sale"},
            {"name": "categories", "description": "The shelves"},
            {"name": "cart", "description": "What a visitor means to buy"},
            {"name": "checkout", "description": "From the cart to Stripe's page in one call"},
            {"name": "orders", "description": "Placing, paying, following, canceling"},
            {
                "name": "checkout-sessions",
                "description": "What became of a payment on Stripe's page",
            },
            {"name": "payment-intents", "description": "What became of a payment in an app"},
        ],
        "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
        "ENUM_NAME_OVERRIDES": {
            "AttemptClosedAs": "payments.models.PaymentAttempt.ClosedAs",
            "AttemptKind": "payments.models.PaymentAttempt.Kind",
            "AttemptState": "payments.models.PaymentAttempt.State",
            "EventState": "payments.models.InboxEvent.State",
            "LedgerKind": "payments.models.LedgerEntry.Kind",
            "MovementKind": "shop.models.StockMovement.Kind",
            "OrderStatus": "orders.models.Status",
            "Phase": "payments.standings.Phase",
            "PlacedBy": "orders.models.Order.PlacedBy",
            "Reason": "orders.models.Reason",
            "RefundSource": "payments.models.Refund.Source",
            "RefundState": "payments.models.Refund.State",
            "RefundWhy": "payments.models.Refund.Why",
            "ReviewReason": "orders.models.Review.Reason",
            "ReviewResolution": "orders.models.Review.Resolution",
            "Sort": "shop.listing.Sort",
        },
        "POSTPROCESSING_HOOKS": [
            "drf_spectacular.hooks.postprocess_schema_enums",
            "api.schema.add_problem",
            "config.api_examples.add",
            "config.api_links.add",
        ],
    }
