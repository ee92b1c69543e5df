"""Signing in by token, and what belongs to it: thin views over allauth's own for apps.

Theirs judge, limit and send mail as on the pages; codes, statuses and errors are ours.
"""

import json
from typing import Any, NamedTuple, cast

from allauth.headless.account import views as allauth_views
from allauth.headless.constants import Client, Flow
from allauth.headless.internal.sessionkit import session_store
from allauth.headless.mfa.views import AuthenticateView
from allauth.headless.tokens.views import RefreshTokenView
from django.contrib.sessions.backends.base import UpdateError
from django.db import IntegrityError, transaction
from rest_framework import status
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.serializers import (
    ChangePasswordSerializer,
    CredentialsSerializer,
    ForgotPasswordSerializer,
    MeSerializer,
    RefreshSerializer,
    ResetPasswordSerializer,
    SignInSerializer,
    TokensSerializer,
)
from accounts.tokens import IS_BEARER, NoToken, lock_token
from api.problems import Code, Problem
from api.schema import operation
from api.security import Bearer
from api.views import ApiView

# Allauth does not tell how long its limits last; most are counted per minute.
_WAIT_SECONDS = "60"
# How it says that all was done, and that nobody is signed in after it.
_SIGNED_OUT = status.HTTP_401_UNAUTHORIZED


class OpenView(ApiView):
    """For whoever is not signed in, which no token is needed for."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class SignedInView(ApiView):
    """For the bearer of an access token; the session of the pages has pages of its own."""

    authentication_classes = (Bearer,)
    permission_classes = (IsAuthenticated,)


class Register(OpenView):
    guest_scheme = "CartToken"

    @operation(
        "register",
        {201: TokensSerializer},
        takes=CredentialsSerializer,
        problems=[Code.EMAIL_TAKEN],
    )
    def post(self, request: Request) -> Response:
        """Open an account and sign in. A guest's cart, if its token is sent, becomes the user's."""
        sent = self.read(CredentialsSerializer)
        try:
            # A refusal is raised outside: what counts the tries may be in this very database.
            with transaction.atomic():
                answer = _ask(allauth_views.SignupView, request, sent)
        except IntegrityError as error:
            # The same was sent twice, and the other came first.
            raise Problem(Code.EMAIL_TAKEN) from error
        return Response(_tokens(_done(answer)["meta"]), status=status.HTTP_201_CREATED)


class SignIn(OpenView):
    guest_scheme = "CartToken"

    @operation(
        "signIn",
        {200: TokensSerializer},
        takes=SignInSerializer,
        problems=[
            Code.BAD_CREDENTIALS,
            Code.SECOND_FACTOR_REQUIRED,
            Code.BAD_SECOND_FACTOR,
            Code.INACTIVE,
        ],
    )
    def post(self, request: Request) -> Response:
        """Sign in. A guest's cart, if its token is sent, is merged into the user's."""
        sent = self.read(SignInSerializer)
        code = sent.pop("code", "")
        answer = _ask(allauth_views.LoginView, request, sent)
        # The password was right, and yet nobody is signed in.
        if answer.status == status.HTTP_401_UNAUTHORIZED:
            if not _waits_for_code(answer):
                raise Problem(Code.INACTIVE)
            answer = _second_step(request, code, begun=answer.body["meta"]["session_token"])
        return Response(_tokens(_done(answer)["meta"]))


class SignOut(SignedInView):
    @operation("signOut", {204: None})
    def post(self, request: Request) -> Response:
        """Sign out. The access token and its refresh token are good for nothing any more."""
        request._request.method = "DELETE"
        _done(_ask(allauth_views.SessionView, request), by=_SIGNED_OUT)
        return Response(status=status.HTTP_204_NO_CONTENT)


class Refresh(OpenView):
    @operation(
        "refreshTokens",
        {200: TokensSerializer},
        takes=RefreshSerializer,
        problems=[Code.BAD_TOKEN],
    )
    def post(self, request: Request) -> Response:
        """Trade a refresh token for new tokens. Of two that trade the same one, one is refused."""
        sent = self.read(RefreshSerializer)
        try:
            with transaction.atomic():
                # Else both would read the session before either wrote it, and both be answered.
                lock_token(sent["refresh_token"])
                answer = _ask(RefreshTokenView, request, sent)
        except (NoToken, UpdateError) as error:
            # The latter: the sign-in ended at this very moment.
            raise Problem(Code.BAD_TOKEN) from error
        return Response(_tokens(_done(answer, refused=Code.BAD_TOKEN)["data"]))


class ForgotPassword(OpenView):
    @operation("forgotPassword", {202: None}, takes=ForgotPasswordSerializer)
    def post(self, request: Request) -> Response:
        """Send a mail by which the password can be set anew. The answer is the same for anybody."""
        sent = self.read(ForgotPasswordSerializer)
        _done(_ask(allauth_views.RequestPasswordResetView, request, sent))
        return Response(status=status.HTTP_202_ACCEPTED)


class ResetPassword(OpenView):
    @operation("resetPassword", {204: None}, takes=ResetPasswordSerializer)
    def post(self, request: Request) -> Response:
        """Set a password by the key from the mail. Every sign-in of the account ends."""
        sent = self.read(ResetPasswordSerializer)
        answer = _ask(allauth_views.ResetPasswordView, request, sent)
        _done(answer, by=_SIGNED_OUT)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChangePassword(SignedInView):
    @operation("changePassword", {204: None}, takes=ChangePasswordSerializer)
    def post(self, request: Request) -> Response:
        """Change the password. Every sign-in ends, this one too: sign in with the new one."""
        sent = self.read(ChangePasswordSerializer)
        _done(_ask(allauth_views.ChangePasswordView, request, sent))
        return Response(status=status.HTTP_204_NO_CONTENT)


class Me(ApiView):
    @operation("getMe", {200: MeSerializer})
    def get(self, request: Request) -> Response:
        """Show who is signed in."""
        return Response(MeSerializer(cast(User, request.user)).data)


class _Answer(NamedTuple):
    """What allauth's view answered: its status, and its body as of its documentation."""

    status: int
    body: Any


def _waits_for_code(answer: _Answer) -> bool:
    return any(
        flow["id"] == Flow.MFA_AUTHENTICATE and flow.get("is_pending")
        for flow in answer.body["data"]["flows"]
    )


def _second_step(request: Request, code: str, *, begun: str) -> _Answer:
    """Go on with a sign-in that the password began, whose session has the key `begun`.

    Raises the Problem of what is refused, and leaves nothing behind: one begins anew, with both.
    """
    if not code:
        session_store(begun).delete()
        raise Problem(Code.SECOND_FACTOR_REQUIRED)
    answer = _ask(AuthenticateView, request, {"code": code}, session_key=begun)
    if answer.status != status.HTTP_200_OK:
        session_store(begun).delete()
    _done(answer, refused=Code.BAD_SECOND_FACTOR)
    return answer


def _ask(
    view: Any, request: Request, sent: dict[str, Any] | None = None, *, session_key: str = ""
) -> _Answer:
    """Let allauth's view answer a request with what was sent, in a session that one has begun."""
    asked = request._request
    # Allauth reads the body once more, in a way of its own: it gets what was understood.
    asked._body = json.dumps(sent).encode() if sent else b""
    # It takes the key of a session for a token, which would make cookies and tokens one.
    asked.META.pop("HTTP_X_SESSION_TOKEN", None)
    vars(asked).pop("headers", None)
    asked.META[IS_BEARER] = request.auth is not None or bool(session_key)
    if session_key:
        asked.META["HTTP_X_SESSION_TOKEN"] = session_key
    answer = view.as_api_view(client=Client.APP)(asked)
    return _Answer(answer.status_code, json.loads(answer.content))


def _done(answer: _Answer, *, by: int = status.HTTP_200_OK, refused: Code = Code.INVALID) -> Any:
    """Return the body of what was done, which the status `by` says; else raise its problem."""
    if answer.status == by:
        return answer.body
    errors = answer.body.get("errors", [])
    codes = {error["code"] for error in errors}
    if answer.status == status.HTTP_429_TOO_MANY_REQUESTS or "too_many_login_attempts" in codes:
        raise Problem(Code.TOO_MANY, headers={"Retry-After": _WAIT_SECONDS})
    if "email_password_mismatch" in codes:
        raise Problem(Code.BAD_CREDENTIALS)
    if "email_taken" in codes:
        raise Problem(Code.EMAIL_TAKEN)
    if refused != Code.INVALID or not errors:
        raise Problem(refused)
    raise Problem(
        Code.INVALID,
        errors=[
            {"field": error.get("param", ""), "code": error["code"], "message": error["message"]}
            for error in errors
        ],
    )


def _tokens(found: dict[str, str]) -> Any:
    return TokensSerializer(found).data
