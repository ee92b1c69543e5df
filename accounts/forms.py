"""Forms of sign-up, and of the second step of signing in."""

from typing import Any

from allauth.account import forms
from allauth.mfa.base import forms as mfa_forms
from allauth.mfa.totp.forms import ActivateTOTPForm
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect


class SignupForm(forms.SignupForm):  # type: ignore[misc]  # allauth has no types
    """Allauth's form, which makes the account with its address, or nothing."""

    def try_save(self, request: HttpRequest) -> tuple[AbstractBaseUser | None, HttpResponse | None]:
        try:
            with transaction.atomic():
                user, response = super().try_save(request)
        except IntegrityError:
            # The form was sent twice, and the other one came first.
            messages.info(request, "There is already an account with this e-mail address.")
            return None, redirect("account_login")
        return user, response


class _CodeForm:
    """A form whose one field is a code, in our words."""

    hint = "The six digits that your app shows now, or one of your recovery codes."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["code"]  # type: ignore[attr-defined]
        field.label, field.help_text = "Code", self.hint
        field.widget.attrs = {"autocomplete": "one-time-code", "inputmode": "numeric"}


class SecondStepForm(_CodeForm, mfa_forms.AuthenticateForm):  # type: ignore[misc]
    pass


class SecondStepAgainForm(_CodeForm, mfa_forms.ReauthenticateForm):  # type: ignore[misc]
    pass


class SetUpForm(_CodeForm, ActivateTOTPForm):  # type: ignore[misc]
    hint = "The six digits that your app shows now."
