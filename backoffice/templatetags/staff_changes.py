"""The audit log of a row, for its history page in the admin."""

from typing import Any

from django import template
from django.db.models import Model
from django.http import HttpRequest

register = template.Library()

_SHOWN = 50


@register.simple_tag
def staff_changes(request: HttpRequest, row: Model) -> dict[str, Any] | None:
    """Return the latest changes of a row and its parts as a table of Unfold's.

    With the query by which the audit log lists all; None for those who may not view it.
    """
    # Unfold, while it is imported itself, has every library of tags imported.
    from backoffice.admin import audit_log
    from backoffice.models import AuditEntry
    from payments.admin import display

    if not request.user.has_perm("backoffice.view_auditentry"):
        return None
    model = row._meta.label_lower
    entries = AuditEntry.objects.about(model, [str(row.pk)])
    named = entries.annotate(by_email=display.email_of("by_user_id"))[:_SHOWN]
    return {
        "all": f"?row={model}:{row.pk}",
        "table": {
            "headers": ["when", "who", "what", "action", "columns"],
            "rows": [
                [
                    display.link("backoffice_auditentry_change", audit_log.when(entry), entry.pk),
                    audit_log.who(entry),
                    audit_log.what(entry),
                    entry.get_action_display(),
                    audit_log.differs(entry),
                ]
                for entry in named
            ],
        },
    }
