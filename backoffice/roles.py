"""What people of the house may do: groups that each migration brings up to date.

Whoever needs another choice makes a group of his own in the admin; these are the shop's.
"""

import logging
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q

logger = logging.getLogger(__name__)

_CATALOG = ("product", "variant", "category", "productimage", "stockmovement", "pricechange")
_MONEY = ("refund", "refundrequest", "dispute", "paymentattempt", "ledgerentry")
_AT_STRIPE = ("balancetransaction", "charge", "dispute", "paymentintent", "refund", "session")

_SEE_CATALOG = tuple(f"shop.view_{model}" for model in _CATALOG)
_SEE_ORDERS = ("orders.view_order", "orders.view_review")
_SEE_MONEY = tuple(f"payments.view_{model}" for model in _MONEY)
_SEE_STRIPE = tuple(f"djstripe.view_{model}" for model in _AT_STRIPE)

SUPPORT = (
    *_SEE_CATALOG,
    *_SEE_ORDERS,
    *_SEE_MONEY,
    "accounts.view_user",
    "backoffice.add_customernote",
    "backoffice.view_customernote",
    "orders.add_order",
    "orders.change_order",
    # Above the limit it waits for a manager.
    "payments.add_refund",
)
WAREHOUSE = (
    *_SEE_CATALOG,
    "orders.view_order",
    "orders.fulfill_order",
    "shop.move_stock",
)
ACCOUNTANT = (
    *_SEE_ORDERS,
    *_SEE_MONEY,
    *_SEE_STRIPE,
    "orders.export_order",
    "payments.export_ledgerentry",
)
MANAGER = (
    *SUPPORT,
    *WAREHOUSE,
    *ACCOUNTANT,
    *(f"shop.{verb}_{model}" for verb in ("add", "change", "delete") for model in _CATALOG[:4]),
    "accounts.change_user",
    "accounts.erase_user",
    "accounts.export_user",
    "backoffice.view_auditentry",
    "backoffice.view_auditpersonal",
    "backoffice.view_erasure",
    "backoffice.view_importrun",
    "orders.change_review",
    "payments.add_ledgerentry",
    "payments.approve_refundrequest",
    "payments.view_inboxevent",
    "payments.change_inboxevent",
    "procrastinate.view_procrastinatejob",
    "procrastinate.change_procrastinatejob",
    "shop.import_product",
)

# By the name of the group.
ROLES: dict[str, tuple[str, ...]] = {
    "Manager": MANAGER,
    "Support": SUPPORT,
    "Warehouse": WAREHOUSE,
    "Accountant": ACCOUNTANT,
}


class MissingPermission(Exception):
    """The database has no such permission; `str(error)` is its label."""


@transaction.atomic
def bring_up_to_date(**signal: Any) -> None:
    """Make the groups, each with exactly the permissions of its role. Safe to repeat.

    While an app's own migrations are still to come, so are its permissions: the groups stay as they
    are until the migration of all.
    """
    try:
        wanted = {name: permissions(labels) for name, labels in ROLES.items()}
    except MissingPermission as missing:
        logger.warning("the roles stay as they are: there is no %s yet", missing)
        return
    for name, allowed in wanted.items():
        group, _is_new = Group.objects.get_or_create(name=name)
        group.permissions.set(allowed)


def permissions(labels: tuple[str, ...]) -> list[Permission]:
    """Return the permissions by their labels, such as "orders.view_order".

    Raises MissingPermission.
    """
    wanted = {(app, codename) for app, _, codename in (label.partition(".") for label in labels)}
    either = Q()
    for app, codename in wanted:
        either |= Q(content_type__app_label=app, codename=codename)
    found = {
        (permission.content_type.app_label, permission.codename): permission
        for permission in Permission.objects.filter(either).select_related("content_type")
    }
    for app, codename in sorted(wanted - found.keys()):
        raise MissingPermission(f"{app}.{codename}")
    return [found[label] for label in sorted(wanted)]
