"""What is done to an account beyond signing in."""

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction

from accounts.models import User


class CannotDeactivate(Exception):
    """The account stays active; `str(error)` says why in staff's words."""


@transaction.atomic
def deactivate(*, user: User, by: User) -> User:
    """Close an account: nobody can sign in to it, and every sign-in there is has ended.

    Its orders stay. Safe to repeat. Raises CannotDeactivate.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if user.pk == by.pk:
        raise CannotDeactivate("Nobody closes the account that he is signed in with.")
    if not by.may_touch(user):
        raise CannotDeactivate("Only a superuser closes an account of staff.")
    if user.is_active:
        user.is_active = False
        user.save(update_fields=["is_active"])
        LogEntry.objects.log_actions(by.pk, User.objects.filter(pk=user.pk), CHANGE, "Deactivated")
    return user
