"""Signing in to the API without a password, which takes its time."""

from typing import Any

from allauth.headless.tokens.strategies.jwt import internal
from django.test import Client

from accounts.models import User
from api.tests.calls import Caller


def session_of(user: User) -> Any:
    """Return a new session of a user, as signing in makes one."""
    client = Client()
    client.force_login(user)
    return client.session


def caller_as(user: User, **headers: str) -> Caller:
    """Return a client of the API that bears an access token of the user."""
    token = internal.create_access_token(user, session_of(user), {})
    return Caller(Authorization=f"Bearer {token}", **headers)
