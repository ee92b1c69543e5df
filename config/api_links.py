"""Links of the API's document: which operations follow another, and where it says what they take.

Source: https://spec.openapis.org/oas/v3.1.0#link-object
"""

from typing import Any

_ORDER = (
    "getOrder",
    "getPaymentStatus",
    "createCheckoutSession",
    "createPaymentIntent",
    "cancelOrder",
)
_ANY_ORDER = ("getAnyOrder", "fulfillOrder", "cancelAnyOrder", "refundOrder")
_PRODUCT = ("getAnyProduct", "changeProduct", "deleteProduct", "createVariant", "addImage")
_VARIANT = ("getVariant", "changeVariant", "deleteVariant")
_CATEGORY = ("getCategory", "changeCategory", "deleteCategory")
_LINE = ("setCartLine", "removeCartLine")

# An operation, those that may follow it, and where in its answer their parameters stand.
_LINKS: tuple[tuple[str, tuple[str, ...], dict[str, str]], ...] = (
    ("listProducts", ("getProduct",), {"slug": "results/0/slug"}),
    ("addToCart", _LINE, {"sku": "lines/0/sku"}),
    ("getCart", _LINE, {"sku": "lines/0/sku"}),
    ("checkout", ("getOrder", "getPaymentStatus", "cancelOrder"), {"number": "order/number"}),
    ("checkout", ("verifyCheckoutSession",), {"session_id": "checkout_session/id"}),
    ("placeOrder", _ORDER, {"number": "number"}),
    ("findOrder", _ORDER, {"number": "number"}),
    ("listOrders", _ORDER, {"number": "results/0/number"}),
    ("createCheckoutSession", ("verifyCheckoutSession",), {"session_id": "id"}),
    ("createPaymentIntent", ("verifyPaymentIntent",), {"intent_id": "id"}),
    ("listAllOrders", _ANY_ORDER, {"number": "results/0/number"}),
    ("listAllProducts", _PRODUCT, {"slug": "results/0/slug"}),
    ("createProduct", _PRODUCT, {"slug": "slug"}),
    ("getAnyProduct", _VARIANT, {"sku": "variants/0/sku"}),
    ("getAnyProduct", ("changeImage", "deleteImage"), {"slug": "slug", "name": "images/0/name"}),
    ("createVariant", _VARIANT, {"sku": "sku"}),
    ("createCategory", _CATEGORY, {"slug": "slug"}),
    ("listCategories", _CATEGORY, {"slug": "results/0/slug"}),
    ("listUsers", ("getUser", "deactivateUser"), {"public_id": "results/0/id"}),
    ("listEvents", ("retryEvent",), {"event_id": "results/0/id"}),
)


def add(result: dict[str, Any], generator: Any, request: Any, public: bool) -> Any:
    """Postprocessing hook: say of each answer that all went well what may be asked next."""
    for methods in result["paths"].values():
        for operation in methods.values():
            if links := _links_of(operation["operationId"]):
                for status, answer in operation["responses"].items():
                    if status.startswith("2"):
                        answer["links"] = links
    return result


def _links_of(name: str) -> dict[str, Any]:
    return {
        target: {
            "operationId": target,
            "parameters": {
                parameter: f"$response.body#/{pointer}" for parameter, pointer in parameters.items()
            },
        }
        for source, targets, parameters in _LINKS
        for target in targets
        if source == name
    }
