"""Which tables the audit log watches, and what of them it must not keep.

A change of this data takes effect by a migration that runs `audit_trigger.attach` again.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Audited:
    """A model whose rows are watched; what stands in it are names of columns.

    `name` is what people call a row by, and never personal. `part_of` is the model that its rows
    are shown with, and the column that leads there. Values of `personal` columns can be erased, of
    `secret` ones none are kept. What changes nothing but `ignored` columns is not logged.
    """

    model: str
    name: str = ""
    part_of: tuple[str, str] = ("", "")
    personal: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


_OF_USER = ("accounts.User", "user_id")
_OF_PRODUCT = ("shop.Product", "product_id")
_OF_ORDER = ("orders.Order", "order_id")

AUDITED = (
    Audited(
        "accounts.User",
        personal=("email", "name"),
        secret=("password",),
        ignored=("last_login",),
    ),
    Audited("accounts.User_groups", part_of=_OF_USER),
    Audited("accounts.User_user_permissions", part_of=_OF_USER),
    Audited("account.EmailAddress", part_of=_OF_USER, personal=("email",)),
    Audited("auth.Group", name="name"),
    Audited("auth.Group_permissions", part_of=("auth.Group", "group_id")),
    Audited("shop.Category", name="name"),
    Audited("shop.Product", name="title", ignored=("search",)),
    Audited("shop.Variant", name="sku", part_of=_OF_PRODUCT),
    Audited("shop.ProductImage", part_of=_OF_PRODUCT, ignored=("width", "height", "renditions")),
    Audited(
        "orders.Order",
        name="number",
        # What staff write may tell of somebody.
        personal=("email", "shipping_address", "billing_address", "client_ip", "cancel_note"),
    ),
    Audited("orders.OrderLine", name="sku", part_of=_OF_ORDER),
    Audited("orders.Review", part_of=_OF_ORDER),
    Audited("orders.Fulfillment", part_of=_OF_ORDER),
    Audited("orders.FulfillmentLine", part_of=("orders.Fulfillment", "fulfillment_id")),
    Audited("orders.OrderMail", name="kind", part_of=_OF_ORDER),
    Audited("orders.OrderNote", part_of=_OF_ORDER, personal=("text",)),
    Audited(
        "payments.PaymentAttempt",
        part_of=_OF_ORDER,
        personal=("params",),
        # Whoever has the address can pay.
        secret=("client_secret", "url"),
    ),
    Audited("payments.Refund", part_of=_OF_ORDER, personal=("note",)),
    Audited("payments.RefundRequest", part_of=_OF_ORDER, personal=("note",)),
    Audited("payments.RefundLine", part_of=("payments.Refund", "refund_id")),
    Audited("payments.Dispute", name="stripe_id", part_of=_OF_ORDER),
    Audited("payments.LedgerEntry", name="kind", part_of=_OF_ORDER),
    Audited("payments.InboxEvent", name="event_id", ignored=("payload",)),
)

# Models of ours that it does not watch, and why.
NOT_AUDITED = {
    "account.EmailConfirmation": "has no rows: links that confirm an address are signed",
    "api.IdempotencyKey": "what a client was answered, for a day",
    "auth.Permission": "written by migrations alone",
    "backoffice.AuditAddress": "the log itself",
    "backoffice.AuditEntry": "the log itself",
    "backoffice.AuditPersonal": "the log itself",
    "backoffice.DayFigures": "counted by a job",
    "backoffice.TopProduct": "counted by a job",
    "backoffice.CustomerNote": "never changed, and says itself who wrote it",
    "backoffice.ImportRow": "what it changes is logged where that stands",
    "backoffice.ImportRun": "says itself who sent it in",
    "backoffice.Erasure": "says itself who had it done and why",
    "cart.Cart": "a visitor's own; staff have no page for it",
    "cart.CartLine": "a visitor's own; staff have no page for it",
    "orders.OrderEvent": "append-only, and says itself who did it and why",
    "payments.Checkpoint": "how far jobs have read Stripe's lists",
    "shop.LowStockMail": "which daily mails went out; no staff write it",
    "shop.PriceChange": "append-only, and says itself who did it and why",
    "shop.StockMovement": "append-only, and says itself who did it and why",
}
