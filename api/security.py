"""How callers say who they are: by a bearer token, else by the session of the shop's own pages.

A request with a token never falls back on its cookies: what cannot be read is refused.
"""

from typing import Any, cast

from allauth.headless.contrib.rest_framework.authentication import JWTTokenAuthentication
from allauth.headless.tokens.strategies.jwt import internal
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

SCHEMES = {
    "AccessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `access_token` of a sign-in or a refresh; it lasts 15 minutes.",
    },
    "Session": {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.SESSION_COOKIE_NAME,
        "description": "The cookie of the shop's pages, with X-CSRFToken where it changes.",
    },
    "CartToken": {
        "type": "apiKey",
        "in": "header",
        "name": "Cart-Token",
        "description": "A guest's cart: the `token` of the first answer that added to one.",
    },
    "OrderToken": {
        "type": "apiKey",
        "in": "header",
        "name": "Order-Token",
        "description": "A guest's order: the `token` of the answer that placed or found it.",
    },
}


class Bearer(JWTTokenAuthentication):  # type: ignore[misc]  # allauth has no types
    """An access token, valid as long as the sign-in that it stands for, which is `request.auth`."""

    def authenticate_credentials(self, key: str) -> tuple[Any, SessionBase]:
        # As allauth's own, which finds the session and does not hand it on.
        payload = internal.decode_token(key, "access")
        session = payload and internal.get_token_session(payload)
        user = session and internal.validate_token_user(payload, session)
        if not user:
            raise AuthenticationFailed("Invalid token.")
        return user, session


class Session(SessionAuthentication):
    """The session of who signed in on the shop's pages, with the token against forged requests."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        return None if "Authorization" in request.headers else super().authenticate(request)


def session_of(request: Request) -> SessionBase:
    """Return the sign-in of who asks."""
    return cast(SessionBase, request.auth or request._request.session)


class _Scheme(OpenApiAuthenticationExtension):
    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return SCHEMES[cast(str, self.name)]


class _BearerScheme(_Scheme):
    target_class = Bearer
    name = "AccessToken"


class _SessionScheme(_Scheme):
    target_class = Session
    name = "Session"
