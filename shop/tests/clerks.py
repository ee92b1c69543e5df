"""Staff who may do some things and not others; the user's own factories lie beside this app."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client


def clerk_who_may(may: str) -> Client:
    """Return the admin as seen with each permission that the expression matches, like "view_.*"."""
    clerk: Any = get_user_model().objects.create_user("clerk@example.com", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__regex=f"^({may})$"))
    client = Client()
    client.force_login(clerk)
    return client
