"""`manage.py make_admin EMAIL`: let somebody into the admin."""

import os
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import transaction

from accounts import mail, password_links
from accounts.models import User


class Command(BaseCommand):
    help = (
        "Make EMAIL a superuser who may sign in to the admin, or staff with the rights of a group. "
        "An account that has a password keeps it. A new one gets that of the environment variable "
        "ADMIN_PASSWORD; without it a link to choose one is printed, or mailed. Safe to repeat: "
        "who has no password yet gets another link."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--role", metavar="NAME", help="the group, instead of a superuser")
        parser.add_argument("--send", action="store_true", help="mail the link to EMAIL")

    def handle(
        self, *args: Any, email: str, role: str | None = None, send: bool = False, **options: Any
    ) -> None:
        with transaction.atomic():
            group = _group(role) if role else None
            user = User.objects.filter(email__iexact=email).select_for_update(no_key=True).first()
            is_new = user is None
            user = user or _new(email)
            user.is_staff = user.is_active = True
            user.is_superuser = user.is_superuser or group is None
            user.save()
            if group:
                user.groups.add(group)
        self.stdout.write(f"{user.email} is {_what(user, group, is_new=is_new)}.")
        if not user.has_usable_password():
            self._let_choose(user, send=send)
        elif send:
            self.stdout.write("Nothing was mailed: there is a password.")

    def _let_choose(self, user: User, *, send: bool) -> None:
        """Print the link to the page on which a password is chosen, or mail it."""
        link, days = password_links.url(user), password_links.days()
        if not send:
            self.stdout.write(f"Choose a password within {days} days:\n{link}")
            return
        try:
            mail.send("account/email/staff_welcome", to=user.email, url=link, days=days)
        except OSError as error:
            raise CommandError(
                f"The link could not be mailed ({error}). Without --send it is printed."
            ) from error
        self.stdout.write(f"A link to choose a password within {days} days was mailed.")


def _group(name: str) -> Group:
    group = Group.objects.filter(name=name).first()
    if group is None:
        names = ", ".join(Group.objects.order_by("name").values_list("name", flat=True))
        raise CommandError(f"There is no group {name!r}. There is: {names}.")
    return group


def _new(email: str) -> User:
    """Return an account that is not stored yet."""
    user = User(email=email)
    password = os.environ.get("ADMIN_PASSWORD") or None
    try:
        validate_email(email)
        if password:
            validate_password(password, user)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    # None: nobody can sign in by it until one is chosen.
    user.set_password(password)
    return user


def _what(user: User, group: Group | None, *, is_new: bool) -> str:
    """Return in words what somebody is now."""
    words = "a new admin" if is_new else "an admin"
    if group:
        words = f"{'new ' if is_new else ''}staff, in the group {group.name!r}"
        words += " and a superuser as before" if user.is_superuser else ""
    keeps = not is_new and user.has_usable_password()
    return f"{words}, with the password as it was" if keeps else words
