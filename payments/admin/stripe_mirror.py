"""dj-stripe's copies of Stripe's objects, to read: nothing in the shop decides by them.

dj-stripe's own pages edit and delete the copies, show the webhook's secret and fail on five
searches, so ours take their place; whatever is not listed here, the API keys above all, has none.
"""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString
from djstripe import models as djstripe

from payments.admin import display
from shop.read_only import ReadOnlyAdmin


class MirrorAdmin(ReadOnlyAdmin):
    list_filter: tuple[str, ...] = ("created",)
    search_fields: tuple[str, ...] = ("id",)
    ordering = ("-djstripe_id",)
    fields: tuple[str, ...] = ("id", "created", "livemode", "djstripe_updated", "data_at_stripe")

    @admin.display(description="data")
    def data_at_stripe(self, row: Any) -> SafeString:
        return display.pretty_json(row.stripe_data)


class EventAdmin(MirrorAdmin):
    list_display = ("id", "type", "created")
    list_filter = ("type", "created")
    search_fields = ("id", "request_id")


class WebhookEndpointAdmin(MirrorAdmin):
    """Without its data, which may hold the secret that events are signed with."""

    list_display = ("id", "url", "status", "api_version")
    list_filter = ("status",)
    search_fields = ("id", "url")
    fields = (
        "id",
        "url",
        "status",
        "enabled_events",
        "api_version",
        "livemode",
        "djstripe_validation_method",
        "djstripe_tolerance",
    )


class CustomerAdmin(MirrorAdmin):
    list_display = ("id", "email", "created")
    search_fields = ("id", "email")


class SessionAdmin(MirrorAdmin):
    list_display = ("id", "payment_intent_id", "customer_id", "created")
    search_fields = ("id", "payment_intent__id", "customer__id")


class PaymentIntentAdmin(MirrorAdmin):
    list_display = ("id", "customer_id", "payment_method_id", "created")
    search_fields = ("id", "customer__id")


class PaymentMethodAdmin(MirrorAdmin):
    list_display = ("id", "customer_id", "created")
    search_fields = ("id", "customer__id")


class ChargeAdmin(MirrorAdmin):
    list_display = ("id", "amount", "currency", "status", "payment_intent_id", "created")
    list_filter = ("status", "created")
    search_fields = ("id", "payment_intent__id", "customer__id")


class BalanceTransactionAdmin(MirrorAdmin):
    list_display = ("id", "type", "amount", "currency", "source", "created")
    list_filter = ("type", "created")
    search_fields = ("id", "source")


class RefundAdmin(MirrorAdmin):
    list_display = ("id", "amount", "currency", "charge_id", "created")
    search_fields = ("id", "charge__id")


class DisputeAdmin(MirrorAdmin):
    list_display = ("id", "charge_id", "payment_intent_id", "created")
    search_fields = ("id", "charge__id", "payment_intent__id")


class AccountAdmin(MirrorAdmin):
    list_display = ("id", "created")


_PAGES = {
    djstripe.Event: EventAdmin,
    djstripe.WebhookEndpoint: WebhookEndpointAdmin,
    djstripe.Account: AccountAdmin,
    djstripe.Customer: CustomerAdmin,
    djstripe.Session: SessionAdmin,
    djstripe.PaymentIntent: PaymentIntentAdmin,
    djstripe.PaymentMethod: PaymentMethodAdmin,
    djstripe.Charge: ChargeAdmin,
    djstripe.BalanceTransaction: BalanceTransactionAdmin,
    djstripe.Refund: RefundAdmin,
    djstripe.Dispute: DisputeAdmin,
}
# dj-stripe stands before this app in INSTALLED_APPS, so its own pages are all registered by now.
admin.site.unregister(
    [model for model in admin.site._registry if model._meta.app_label == "djstripe"]
)
for model, page in _PAGES.items():
    admin.site.register(model, page)
