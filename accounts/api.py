"""Signing in by token, and what belongs to it: thin views over allauth's own for apps.

Theirs judge, limit and send mail as on the pages; codes, statuses and errors are ours.
"""

import hashlib
import json
from typing import Any, cast

from allauth.headless.account import views as allauth_views
from allauth.headless.constants import Client
from allauth.headless.tokens.views import RefreshTokenView
from django.db import IntegrityError, connection, transaction
from rest_framework import status
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from accounts.models import User
from accounts.serializers import (
    ChangePasswordSerializer,
    CredentialsSerializer,
    ForgotPasswordSerializer,
    MeSerializer,
    RefreshSerializer,
    ResetPasswordSerializer,
    TokensSerializer,
)
from accounts.tokens import IS_BEARER
from api.problems import Code, Problem
from api.schema import operation
from api.security import Bearer
from api.views import ApiView

# Allauth does not tell how long its limits last; most are counted per minute.
_WAIT_SECONDS = "60"


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
        try:
            with transaction.atomic():
                answer = _ask(allauth_views.SignupView, request, CredentialsSerializer)
        except IntegrityError as error:
            # The same was sent twice, and the other came first.
            raise Problem(Code.EMAIL_TAKEN) from error
        return Response(_tokens(answer["meta"]), status=status.HTTP_201_CREATED)


class SignIn(OpenView):
    guest_scheme = "CartToken"

    @operation(
        "signIn",
        {200: TokensSerializer},
        takes=CredentialsSerializer,
        problems=[Code.BAD_CREDENTIALS, Code.INACTIVE],
    )
    def post(self, request: Request) -> Response:
        """Sign in. A guest's cart, if its token is sent, is merged into the user's."""
        answer = _ask(allauth_views.LoginView, request, CredentialsSerializer)
        if "access_token" not in answer["meta"]:
            raise Problem(Code.INACTIVE)
        return Response(_tokens(answer["meta"]))


class SignOut(SignedInView):
    @operation("signOut", {204: None})
    def post(self, request: Request) -> Response:
        """Sign out. The access token and its refresh token are good for nothing any more."""
        request._request.method = "DELETE"
        _ask(allauth_views.SessionView, request)
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
        form = RefreshSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        digest = hashlib.blake2b(form.validated_data["refresh_token"].encode(), digest_size=8)
        with transaction.atomic():
            # Without it both would read the session before either wrote it, and both be answered.
            with connection.cursor() as cursor:
                lock = int.from_bytes(digest.digest(), signed=True)
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
            answer = _ask(RefreshTokenView, request, RefreshSerializer, refused=Code.BAD_TOKEN)
        return Response(_tokens(answer["data"]))


class ForgotPassword(OpenView):
    @operation("forgotPassword", {202: None}, takes=ForgotPasswordSerializer)
    def post(self, request: Request) -> Response:
        """Send a mail by which the password can be set anew. The answer is the same for anybody."""
        _ask(allauth_views.RequestPasswordResetView, request, ForgotPasswordSerializer)
        return Response(status=status.HTTP_202_ACCEPTED)


class ResetPassword(OpenView):
    @operation("resetPassword", {204: None}, takes=ResetPasswordSerializer)
    def post(self, request: Request) -> Response:
        """Set a password by the key from the mail. Every sign-in of the account ends."""
        _ask(allauth_views.ResetPasswordView, request, ResetPasswordSerializer)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChangePassword(SignedInView):
    @operation("changePassword", {204: None}, takes=ChangePasswordSerializer)
    def post(self, request: Request) -> Response:
        """Change the password. Every sign-in ends, this one too: sign in with the new one."""
        _ask(allauth_views.ChangePasswordView, request, ChangePasswordSerializer)
        return Response(status=status.HTTP_204_NO_CONTENT)


class Me(ApiView):
    @operation("getMe", {200: MeSerializer})
    def get(self, request: Request) -> Response:
        """Show who is signed in."""
        return Response(MeSerializer(cast(User, request.user)).data)


def _ask(
    view: Any,
    request: Request,
    shape: type[Serializer[Any]] | None = None,
    refused: Code | None = None,
) -> Any:
    """Let allauth's view answer a request of the right shape; return its body.

    Raises the problem that stands for a refusal: `refused`, or what allauth says is wrong.
    """
    # Read here, so that allauth can read it again.
    _ = request._request.body
    if shape:
        shape(data=request.data).is_valid(raise_exception=True)
    request._request.META[IS_BEARER] = request.auth is not None
    answer = view.as_api_view(client=Client.APP)(request._request)
    body = json.loads(answer.content)
    errors = body.get("errors", [])
    if answer.status_code == status.HTTP_429_TOO_MANY_REQUESTS or any(
        error["code"] == "too_many_login_attempts" for error in errors
    ):
        raise Problem(Code.TOO_MANY, headers={"Retry-After": _WAIT_SECONDS})
    if not errors and answer.status_code != status.HTTP_400_BAD_REQUEST:
        # Whoever is signed out by what he asked for is told so by a 401.
        return body
    codes = {error["code"] for error in errors}
    if refused:
        raise Problem(refused)
    if "email_password_mismatch" in codes:
        raise Problem(Code.BAD_CREDENTIALS)
    if "email_taken" in codes:
        raise Problem(Code.EMAIL_TAKEN)
    raise Problem(
        Code.INVALID,
        errors=[
            {"field": error.get("param", ""), "code": error["code"], "message": error["message"]}
            for error in errors
        ],
    )


def _tokens(found: dict[str, str]) -> Any:
    return TokensSerializer(found).data
