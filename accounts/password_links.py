"""Links by which somebody sets a password: the ones that a mail for a forgotten password has."""

from allauth.account import app_settings
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.urls import reverse

from accounts.models import User

_DAY_SECONDS = 24 * 3600


def url(user: User) -> str:
    """Return the full address of the page; setting a password ends it."""
    key = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    page = reverse("account_reset_password_from_key", args=[user_pk_to_url_str(user), key])
    return f"{settings.SITE_URL}{page}"


def days() -> int:
    """Return for how many days a link is good."""
    return settings.PASSWORD_RESET_TIMEOUT // _DAY_SECONDS
