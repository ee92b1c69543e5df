"""What the back office writes itself, and erases."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from backoffice.models import AuditAddress, AuditEntry, AuditPersonal, CustomerNote


def write_note(*, email: str, text: str, by: int, key: UUID, at: datetime) -> CustomerNote:
    """Keep a note on a customer, for staff alone; under a `key` that wrote one before, that one."""
    written = {"email": email.lower(), "text": text, "by_user_id": by, "written_at": at}
    return CustomerNote.objects.get_or_create(form_key=key, defaults=written)[0]


@transaction.atomic
def erase_personal(*, user_id: int | None, order_ids: Collection[int]) -> int:
    """Delete what the audit log has of a person: as a user, as buyer of these orders, as staff.

    The entries stay, with the names of the columns. `user_id` is None for a guest. Returns how many
    rows were deleted; repeating it is safe.
    """
    orders = AuditEntry.objects.about("orders.order", [str(number) for number in order_ids])
    about = Q(entry__in=orders)
    erased = 0
    if user_id is not None:
        about |= Q(entry__in=AuditEntry.objects.about("accounts.user", [str(user_id)]))
        erased += AuditAddress.objects.filter(entry__by_user_id=user_id).delete()[0]
    return erased + AuditPersonal.objects.filter(about).delete()[0]
