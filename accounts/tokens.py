"""Access and refresh tokens; each stands for a sign-in, which is a session in the database."""

from uuid import UUID

from allauth.headless.tokens.strategies.jwt import JWTTokenStrategy, internal
from django.db import connection
from django.http import HttpRequest

# Where a view notes in the request's META that its bearer token was judged, and is to be used.
IS_BEARER = "API_IS_BEARER"


class NoToken(Exception):
    """What was sent is no refresh token of ours, or an old one."""


class TokenStrategy(JWTTokenStrategy):  # type: ignore[misc]  # allauth has no types
    """Allauth's, for which a view decides whether a token counts.

    So signing in anew works whatever token is still being sent.
    """

    def get_session_token(self, request: HttpRequest) -> str | None:
        if not request.META.get(IS_BEARER):
            return None
        key: str | None = super().get_session_token(request)
        return key


def lock_token(refresh_token: str) -> None:
    """Let trades of one refresh token take turns until the transaction ends; raises NoToken.

    One token can be spelled in several ways, so its id is what is locked.
    """
    payload = internal.decode_token(refresh_token, "refresh")
    if payload is None:
        raise NoToken
    number = int.from_bytes(UUID(payload["jti"]).bytes[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
