"""What is done to an account beyond signing in."""

from typing import Any

from allauth.account.internal.stagekit import LOGIN_SESSION_KEY
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import transaction

from accounts import mail, password_links
from accounts.erased import address_of
from accounts.models import User

_SESSIONS_AT_ONCE = 1_000


class CannotDeactivate(Exception):
    """The account stays active; `str(error)` says why in staff's words."""


class CannotReset(Exception):
    """The second step stays; `str(error)` says why in staff's words."""


class CannotSendLink(Exception):
    """No mail was sent; `str(error)` says why in staff's words."""


class CannotErase(Exception):
    """Nothing was erased; `str(error)` says why in staff's words."""


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


@transaction.atomic
def reset_second_factor(*, user: User, by: User) -> None:
    """Take away the app and the recovery codes of somebody who has lost them, and tell him.

    Every sign-in of his is held to the next ones. Raises CannotReset.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if not by.is_superuser:
        raise CannotReset("Only a superuser resets a second step.")
    if user.pk == by.pk:
        raise CannotReset("Use another app, on the page of your own account.")
    gone, _ = Authenticator.objects.filter(user=user).delete()
    if not gone:
        raise CannotReset("There is no second step to reset.")
    LogEntry.objects.log_actions(
        by.pk, User.objects.filter(pk=user.pk), CHANGE, "Second step of sign-in reset"
    )
    # Done is done, whether or not the mail server answers.
    transaction.on_commit(lambda: mail.send("mfa/email/reset_by_staff", to=user.email), robust=True)


def check_erase(user: User) -> None:
    """Raise CannotErase where `erase` would; exact only under the user's lock."""
    if user.is_staff or user.is_superuser:
        raise CannotErase(
            f"{user.email} is one of the staff: take the rights away first, on the user's page."
        )


@transaction.atomic
def erase(*, user: User) -> User:
    """Empty an account: nothing tells whose it was, and nobody can sign in to it.

    The row stays, as history names its id. What it did not say itself, such as orders, is the
    caller's to erase. Safe to repeat. Raises CannotErase.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    check_erase(user)
    EmailAddress.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    user.email, user.name, user.is_active = address_of(user.public_id), "", False
    user.set_unusable_password()
    user.save(update_fields=["email", "name", "is_active", "password"])
    user.groups.clear()
    user.user_permissions.clear()
    about = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk)
    )
    about.update(object_repr=user.email, change_message="")
    return user


def forget_sessions(*, user: User) -> int:
    """Delete the sessions of somebody whose account is closed; return how many.

    They let nobody in any more, yet name the address. Whose a session is stands inside of it, so
    all are read, some at a time.
    """
    forgotten, last = 0, ""
    sessions = Session.objects.order_by("pk")
    while batch := list(sessions.filter(pk__gt=last)[:_SESSIONS_AT_ONCE]):
        last = batch[-1].pk
        theirs = [row.pk for row in batch if _is_of(user, row.get_decoded())]
        forgotten += Session.objects.filter(pk__in=theirs).delete()[0]
    return forgotten


def _is_of(user: User, session: dict[str, Any]) -> bool:
    """Tell whether somebody is signed in by this session, or on his way between two steps."""
    waiting = session.get(LOGIN_SESSION_KEY) or {}
    is_signed_in = session.get(SESSION_KEY) == str(user.pk)
    return is_signed_in or waiting.get("user_pk") == user_pk_to_url_str(user)


def send_password_link(*, user: User, by: User) -> None:
    """Mail somebody a link by which he sets a new password; raises CannotSendLink, and OSError.

    His old one goes on until then: nobody else ever learns a password, or chooses it for him.
    """
    if not user.is_active:
        raise CannotSendLink("This account is closed.")
    if not by.may_touch(user):
        raise CannotSendLink("Only a superuser does this for others of the staff.")
    mail.send(
        "account/email/password_link",
        to=user.email,
        url=password_links.url(user),
        days=password_links.days(),
    )
    LogEntry.objects.log_actions(
        by.pk, User.objects.filter(pk=user.pk), CHANGE, "Link to set a new password mailed"
    )
