"""A user who signs in with two steps, and sign-ins that no browser has to wait for.

Runs on the demo's database, as e2e/awkward.py, after that.
"""

import time
from types import SimpleNamespace

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from accounts.models import User
from api.staff import SIGNED_IN_AT
from e2e.steps import PASSWORD, READER, TWO_STEPS

DAY = 24 * 3600


def make() -> None:
    """Make the user, and print the key of each sign-in behind its name."""
    reader = User.objects.get(email=READER)
    user = User.objects.create_user(TWO_STEPS, PASSWORD)
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    # As long as tests may take, who has only just signed in is not asked again.
    print("just now", signed_in(user, time.time() + DAY), sep="\t")
    print("a while ago", signed_in(user, time.time() - DAY), sep="\t")
    print("by password, a while ago", signed_in(reader, time.time() - DAY), sep="\t")


def signed_in(user: User, at: float) -> str:
    """Return the key of a session in which the user has passed both steps at that time."""
    client = Client()
    client.force_login(user)
    session = client.session
    record_authentication(SimpleNamespace(session=session), user, "mfa")
    session[SIGNED_IN_AT] = at
    session.save()
    return str(session.session_key)
