"""`manage.py make_admin EMAIL`: let somebody into the admin."""

import os
import secrets
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import transaction

from accounts.models import User


class Command(BaseCommand):
    help = (
        "Make EMAIL a superuser who may sign in to the admin. An account that exists keeps its "
        "password; a new one gets that of the environment variable ADMIN_PASSWORD, or one made "
        "up here and printed this once. Safe to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL")

    @transaction.atomic
    def handle(self, *args: Any, email: str, **options: Any) -> None:
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            self._create(email)
        else:
            user.is_staff = user.is_superuser = user.is_active = True
            user.save()
            self.stdout.write(f"{user.email} is an admin, with the password as it was.")

    def _create(self, email: str) -> None:
        given = os.environ.get("ADMIN_PASSWORD")
        password = given or secrets.token_urlsafe(12)
        try:
            validate_email(email)
            validate_password(password, User(email=email))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        user = User.objects.create_superuser(email, password)
        self.stdout.write(f"{user.email} is a new admin.")
        if not given:
            self.stdout.write(f"Password: {password}")
