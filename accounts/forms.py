"""Forms of sign-up."""

from allauth.account import forms
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
