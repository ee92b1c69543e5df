"""What the tests of the audit log share: its entries, told briefly, oldest first."""

from typing import Any

from backoffice.models import AuditEntry


def logged(model: str = "") -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Return action, name of the row, before and after; of one model, like "shop.variant"."""
    entries = AuditEntry.objects.order_by("pk")
    if model:
        entries = entries.filter(model=model)
    return [(entry.action, entry.row_name, entry.before, entry.after) for entry in entries]


def models_logged() -> set[str]:
    return set(AuditEntry.objects.values_list("model", flat=True))
