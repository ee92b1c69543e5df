"""All that the shop knows, to compare before and after."""

from typing import Any

from django.apps import apps

_APPS = {"accounts", "shop", "cart", "orders", "payments", "backoffice", "djstripe"}
# When Stripe was last asked, and up to when its list was read.
ASKED = frozenset(
    {"paymentattempt.reconciled_at", "refund.asked_at", "checkpoint.reached_at"},
)


def everything(*, but: frozenset[str] = frozenset()) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table but the queue's, less the columns (model.field) in `but`."""
    return {
        model._meta.label: [
            {
                name: value
                for name, value in row.items()
                if f"{model._meta.model_name}.{name}" not in but
            }
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in apps.get_models()
        if model._meta.app_label in _APPS
    }
