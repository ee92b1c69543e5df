"""Second steps of signing in, without a phone."""

import time
from typing import Any

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import PASSWORD
from api.staff import SIGNED_IN_AT

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
WRONG_CODE = "wrong"
HOUR = 3600


def give_app(user: User, secret: str = SECRET) -> list[str]:
    """Set up an app for a user; returns the recovery codes."""
    auth.TOTP.activate(user, secret)
    codes: list[str] = RecoveryCodes.activate(user).get_unused_codes()
    return codes


def code_of(secret: str = SECRET) -> str:
    """Return what the app shows now."""
    (counter,) = auth.yield_hotp_counters_from_time()
    shown: str = auth.format_hotp_value(auth.hotp_value(secret, counter))
    return shown


def sign_in(client: Client, user: User, code: str = "", **data: Any) -> HttpResponseBase:
    """Sign in by password, and by a code where one is given; returns the last answer."""
    data |= {"login": user.email, "password": PASSWORD}
    answer = client.post(reverse("account_login"), data)
    return client.post(reverse("mfa_authenticate"), {"code": code}) if code else answer


def grow_old(client: Client, hours: float) -> None:
    """Let a session have been signed in so many hours ago, and proved so."""
    session = client.session
    session[SIGNED_IN_AT] = time.time() - hours * HOUR
    for record in session.get(AUTHENTICATION_METHODS_SESSION_KEY, []):
        record["at"] -= hours * HOUR
    session.save()
