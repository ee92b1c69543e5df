"""People and their tokens as JSON."""

from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from rest_framework import serializers

from accounts.models import User
from api.bodies import Body


def _password() -> serializers.CharField:
    return serializers.CharField(
        max_length=128, trim_whitespace=False, style={"input_type": "password"}
    )


class MeSerializer(serializers.ModelSerializer[User]):
    """Who is signed in."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    is_confirmed = serializers.SerializerMethodField(help_text="Whether the address is confirmed.")

    class Meta:
        model = User
        fields = ("id", "email", "name", "is_confirmed", "is_staff", "date_joined")
        read_only_fields = fields

    def get_is_confirmed(self, user: User) -> bool:
        return bool(EmailAddress.objects.filter(user=user, verified=True).exists())


class TokensSerializer(serializers.Serializer[Any]):
    """What stands for a sign-in: an access token for 15 minutes, and a refresh token for the next.

    The refresh token is good for one use, which answers with another.
    """

    access_token = serializers.CharField(help_text="Send it as Authorization: Bearer.")
    refresh_token = serializers.CharField()
    token_type = serializers.SerializerMethodField()
    expires_in = serializers.SerializerMethodField(help_text="Seconds until the first ends.")

    def get_token_type(self, tokens: object) -> str:
        return "Bearer"

    def get_expires_in(self, tokens: object) -> int:
        return settings.HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN


class CredentialsSerializer(Body):
    email = serializers.EmailField(max_length=254)
    password = _password()


class SignInSerializer(CredentialsSerializer):
    code = serializers.CharField(
        required=False,
        max_length=40,
        help_text="Of the second step, where the account has one: what its app shows, or a "
        "recovery code.",
    )


class RefreshSerializer(Body):
    refresh_token = serializers.CharField(max_length=2000, trim_whitespace=False)


class ForgotPasswordSerializer(Body):
    email = serializers.EmailField(max_length=254)


class ResetPasswordSerializer(Body):
    key = serializers.RegexField(
        r"^[0-9A-Za-z]{1,13}-[0-9A-Za-z-]+$",
        max_length=200,
        help_text="The last part of the address in the mail, between its slashes.",
    )
    password = _password()


class ChangePasswordSerializer(Body):
    current_password = _password()
    new_password = _password()


class UserSerializer(serializers.ModelSerializer[User]):
    """A person, for staff."""

    id = serializers.UUIDField(source="public_id", read_only=True)

    class Meta:
        model = User
        fields = ("id", "email", "name", "is_active", "is_staff", "date_joined", "last_login")
        read_only_fields = fields


class UserQuery(serializers.Serializer[Any]):
    """Which people staff look for."""

    search = serializers.CharField(
        required=False, max_length=254, help_text="Part of the e-mail address or name."
    )
    is_active = serializers.BooleanField(required=False)
    is_staff = serializers.BooleanField(required=False)
