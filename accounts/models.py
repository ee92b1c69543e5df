"""Who signs in: shoppers and staff."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail, and finds them without regard to case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person known by e-mail; never deleted, so that history can name the id."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField("e-mail address")
    name = models.CharField(max_length=150, blank=True)
    is_staff = models.BooleanField("staff", default=False, help_text="May sign in to the admin.")
    is_active = models.BooleanField(
        "active", default=True, help_text="Untick this instead of deleting the account."
    )
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        permissions = [
            ("export_user", "Can export what is known of a person"),
            ("erase_user", "Can erase what is known of a person"),
        ]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique_without_case",
                violation_error_message="There is already an account with this e-mail address.",
            )
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def needs_second_factor(self) -> bool:
        """Whether this person may not do without a second step at sign-in."""
        return self.is_staff and settings.STAFF_SECOND_FACTOR

    def may_touch(self, other: "User") -> bool:
        """Tell whether, given the permission to change people, this one may be changed.

        Only a superuser may touch colleagues.
        """
        return self.is_superuser or not other.is_staff or other.pk == self.pk

    def save(self, *args: Any, **kwargs: Any) -> None:
        # Allauth looks users up by the address in lower case.
        self.email = self.email.lower()
        super().save(*args, **kwargs)
