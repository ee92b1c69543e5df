"""An example of each shape of the API's document, made of what its fields are called.

A new field gets its sample here; a test fails for one that has none, and for one that does not fit.
"""

from typing import Any

_TIME = "2026-11-22T09:30:00Z"
_EURO = {"amount": 1999, "currency": "EUR", "formatted": "€19.99"}
_ZERO = {"amount": 0, "currency": "EUR", "formatted": "€0.00"}
_SHIPPING = {"amount": 490, "currency": "EUR", "formatted": "€4.90"}
_TOTAL = {"amount": 2489, "currency": "EUR", "formatted": "€24.89"}

# By the name of a field, or of a shape and its field where that means something else there.
SAMPLES: dict[str, Any] = {
    "access_token": "eyJhbGciOiJIUzI1NiJ9.access.signature",
    "added": 1,
    "alt": "Cover of Emma by Jane Austen",
    "amount": _TOTAL,
    "AskRefundRequest.amount": 500,
    "Money.amount": 1999,
    "asked_at": _TIME,
    "at": _TIME,
    "InboxEvent.attempts": 3,
    "archived_at": None,
    "attributes": {"Author": "Jane Austen"},
    "billing_address": None,
    "booked_at": _TIME,
    "cancel_note": "",
    "carrier": "DHL",
    "category": "classics",
    "charge_id": "ch_3QmHvK2eZvKYlo2C0Z8kJw9a",
    "city": "Berlin",
    "client_secret": "pi_3QmHvK2eZvKYlo2C0_secret_8yT5",
    "closed_as": "",
    "code": "123456",
    "count": 1,
    "country": "DE",
    "created_at": _TIME,
    "currency": "EUR",
    "current_password": "a long walk by the sea",
    "date_joined": _TIME,
    "decided_at": None,
    "decision": "",
    "delivered_at": None,
    "description": "A young woman arranges other people's lives.",
    "detail": "asked for 24.89 EUR, paid 20.00 EUR",
    "discount": _ZERO,
    "email": "reader@example.com",
    "expected_by": "2026-12-02T09:30:00Z",
    "expires_at": "2026-11-22T10:15:00Z",
    "expires_in": 900,
    "failure": "",
    "fingerprint": "9f86d081884c7d65:signature",
    "finished_at": None,
    "first_title": "Emma, Hardcover",
    "formatted": "€19.99",
    "free": 12,
    "further_lines": 0,
    "handed_over": 0,
    "handed_over_at": _TIME,
    "height": 900,
    "id": "5f3c0b8e-93d1-4f5e-8a53-1f6f0a4d7c2b",
    "CheckoutSession.id": "cs_test_a1B2c3D4e5F6",
    "InboxEvent.id": "evt_1QmHvK2eZvKYlo2C",
    "PaymentIntent.id": "pi_3QmHvK2eZvKYlo2C0",
    "IntentState.id": "pi_3QmHvK2eZvKYlo2C0",
    "IntentState.state": "succeeded",
    "SessionState.id": "cs_test_a1B2c3D4e5F6",
    "intent_id": "pi_3QmHvK2eZvKYlo2C0",
    "is_active": True,
    "is_confirmed": True,
    "is_disputed": False,
    "is_in_review": False,
    "is_payable": True,
    "is_published": True,
    "is_restocked": False,
    "is_settled": True,
    "is_short": False,
    "is_staff": False,
    "key": "3-cx8f2k-0f9c6b1e7d3a5b2c4d6e8f0a1b2c3d4e",
    "last_error": "Unreachable: APIConnectionError",
    "last_login": _TIME,
    "line1": "1 Long Lane",
    "line2": "",
    "line_limit": 20,
    "low_stock_at": None,
    "made_at": _TIME,
    "missing_for_free_shipping": {"amount": 3001, "currency": "EUR", "formatted": "€30.01"},
    "moved_at": _TIME,
    "name": "Ada Reader",
    "Category.name": "Classics",
    "CategoryInputRequest.name": "Classics",
    "PatchedCategoryInputRequest.name": "Classics",
    "StaffCategory.name": "Classics",
    "StaffImage.name": "3f9a1c7e5b.webp",
    "new_password": "a longer walk by the sea",
    "next": None,
    "note": "The book arrived damaged.",
    "number": "K7Q2M9XHBD",
    "on_hand": 14,
    "on_hand_delta": 4,
    "opened_at": _TIME,
    "order_number": "K7Q2M9XHBD",
    "parent": "fiction",
    "password": "a long walk by the sea",
    "pay_by": "2026-11-22T10:30:00Z",
    "phase": "payable",
    "placed_at": _TIME,
    "placed_by": "buyer",
    "position": 0,
    "postal_code": "10115",
    "previous": None,
    "price": _EURO,
    "VariantInputRequest.price": 1999,
    "PatchedVariantInputRequest.price": 1999,
    "price_changed": False,
    "price_from": _EURO,
    "price_to": _EURO,
    "publish_at": None,
    "publishable_key": "pk_test_a1b2c3d4",
    "quantity": 1,
    "reason": "placed",
    "Review.reason": "mismatch",
    "received_at": _TIME,
    "reference": "Delivery 2026-117",
    "refresh_token": "eyJhbGciOiJIUzI1NiJ9.refresh.signature",
    "region": "",
    "reserved": 2,
    "reserved_delta": 0,
    "resolution": "",
    "resolved_at": None,
    "restock": True,
    "session_id": "cs_test_a1B2c3D4e5F6",
    "set_aside_why": "",
    "shipping": _SHIPPING,
    "sku": "BK-007-H",
    "slug": "emma",
    "Category.slug": "classics",
    "CategoryInputRequest.slug": "classics",
    "PatchedCategoryInputRequest.slug": "classics",
    "StaffCategory.slug": "classics",
    "source": "staff",
    "srcset": "https://shop.example/media/3f9a1c7e5b-320.avif 320w",
    "state": "open",
    "InboxEvent.state": "failed",
    "MoneyBack.state": "pending",
    "Refund.state": "pending",
    "SessionState.state": "succeeded",
    "status": "pending",
    "stripe_id": "ch_3QmHvK2eZvKYlo2C0Z8kJw9a",
    "subtotal": _EURO,
    "tax": _ZERO,
    "tax_included": _ZERO,
    "tell_buyer": True,
    "title": "Emma",
    "CartLine.title": "Hardcover",
    "OrderLine.title": "Emma, Hardcover",
    "Stock.title": "Hardcover",
    "Variant.title": "Hardcover",
    "VariantInputRequest.title": "Hardcover",
    "PatchedVariantInputRequest.title": "Hardcover",
    "token": "5f3c0b8e-93d1-4f5e-8a53-1f6f0a4d7c2b:signature",
    "OwnedOrder.token": "Rk3yTz-signature",
    "PlacedOrder.token": "Rk3yTz-signature",
    "token_type": "Bearer",
    "total": _TOTAL,
    "tracking_number": "JD014600003828",
    "tracking_url": "https://www.dhl.com/global-en/home/tracking.html?tracking-id=JD014600003828",
    "type": "charge.refunded",
    "Source.type": "image/avif",
    "unavailable": [],
    "unit_price": _EURO,
    "units": 1,
    "MoveRequest.units": 4,
    "url": "https://shop.example/product/emma/",
    "CheckoutSession.url": "https://checkout.stripe.com/c/pay/cs_test_a1B2c3D4e5F6",
    "Image.url": "https://shop.example/media/3f9a1c7e5b-640.webp",
    "Order.url": "https://shop.example/orders/K7Q2M9XHBD/signature/",
    "OwnedOrder.url": "https://shop.example/orders/K7Q2M9XHBD/signature/",
    "StaffImage.url": "https://shop.example/media/3f9a1c7e5b-640.webp",
    "user": "5f3c0b8e-93d1-4f5e-8a53-1f6f0a4d7c2b",
    "was_charged": False,
    "why": "requested_by_customer",
    "width": 600,
    "words": "Order placed",
}
# One of these is sent, not all of them.
_LEFT_OUT = {"AskRefundRequest": ("amount", "charge_id")}
_EXAMPLES = "#/components/examples/"


class MissingSample(Exception):
    """A field has no sample; `str(error)` names it."""


def add(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Postprocessing hook: show one of each shape wherever it is sent or answered."""
    shapes = result["components"]["schemas"]
    examples = result["components"]["examples"]
    for content in _contents(result):
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        if name and "examples" not in content:
            examples.setdefault(name, {"value": _of_shape(name, shapes)})
            content["examples"] = {name: {"$ref": f"{_EXAMPLES}{name}"}}
    return result


def _contents(document: dict[str, Any]) -> Any:
    """Yield what is sent or answered as JSON, over all operations."""
    for methods in document["paths"].values():
        for operation in methods.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                if "application/json" in body.get("content", {}):
                    yield body["content"]["application/json"]


def _of_shape(name: str, shapes: dict[str, Any]) -> Any:
    shape = shapes[name]
    if "enum" in shape:
        return shape["enum"][0]
    return {
        field: _of_field(name, field, schema, shapes)
        for field, schema in shape.get("properties", {}).items()
        if field not in _LEFT_OUT.get(name, ())
    }


def _of_field(shape: str, field: str, schema: dict[str, Any], shapes: dict[str, Any]) -> Any:
    for name in (f"{shape}.{field}", field):
        if name in SAMPLES:
            return SAMPLES[name]
    if schema.get("type") == "array":
        return [_of_field(shape, field, schema["items"], shapes)]
    if schema.get("type") == "object":
        properties = schema["properties"].items()
        return {name: _of_field(shape, name, inner, shapes) for name, inner in properties}
    for inner in (schema, *schema.get("allOf", ()), *schema.get("oneOf", ())):
        if "$ref" in inner:
            return _of_shape(inner["$ref"].rpartition("/")[2], shapes)
    raise MissingSample(f"{shape}.{field}")
