"""What a sign-in must be before staff's work is open to it, on pages and in the API alike.

Here, below all apps, because the admin asks it at the top of them and the API at the bottom.
"""

import time
from enum import Enum, auto
from types import SimpleNamespace
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

# When the session was signed in, in seconds since 1970, whichever way it was.
SIGNED_IN_AT = "signed_in_at"


class Lack(Enum):
    """What a sign-in of staff lacks."""

    # It is too old, or did not pass the second step as that is set up now.
    SIGN_IN = auto()
    # There is no second step yet.
    SECOND_FACTOR = auto()


def lack(user: Any, session: SessionBase) -> Lack | None:
    """Return what keeps `user`, signed in by `session`, from staff's work; None where nothing does.

    That he is staff, and what he may do, is another question.
    """
    if age_seconds(session) > settings.STAFF_SESSION_HOURS * 3600:
        return Lack.SIGN_IN
    if not settings.STAFF_SECOND_FACTOR:
        return None
    app = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if app is None:
        return Lack.SECOND_FACTOR
    # To have an app is not enough: a sign-in by the password alone, made before there was one or
    # since it was replaced, may be another person's.
    is_proved = proved_at(user, session) >= app.created_at.timestamp()
    return None if is_proved else Lack.SIGN_IN


def age_seconds(session: SessionBase) -> float:
    """Return how long ago the session was signed in; very long where it does not say."""
    since: float = time.time() - session.get(SIGNED_IN_AT, 0)
    return since


def proved_at(user: Any, session: SessionBase) -> float:
    """Return when the second step was last passed in this session, in seconds since 1970."""
    # Of a request allauth reads nothing else.
    records = get_authentication_records(SimpleNamespace(session=session), user)
    return max((record["at"] for record in records if record["method"] == "mfa"), default=0)
