"""Access and refresh tokens; each stands for a sign-in, which is a session in the database."""

from allauth.headless.tokens.strategies.jwt import JWTTokenStrategy
from django.http import HttpRequest

# Where a view notes in the request's META that its bearer token was judged, and is to be used.
IS_BEARER = "API_IS_BEARER"


class TokenStrategy(JWTTokenStrategy):  # type: ignore[misc]  # allauth has no types
    """Allauth's, for which a view decides whether a token counts; the key of a session never does.

    So signing in anew works whatever token is still being sent.
    """

    def get_session_token(self, request: HttpRequest) -> str | None:
        if not request.META.get(IS_BEARER) or "X-Session-Token" in request.headers:
            return None
        key: str | None = super().get_session_token(request)
        return key
