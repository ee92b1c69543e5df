"""The page of a user's own account, and those on which he sets up his second step."""

from textwrap import wrap
from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.email_verification import send_verification_email_for_user
from allauth.account.models import EmailAddress
from allauth.account.utils import get_next_redirect_url, passthrough_next_redirect_url
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.internal.flows.add import redirect_if_add_not_allowed
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import FormView

from accounts.models import User


@never_cache
@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show who is signed in, and the ways to what is his."""
    is_confirmed = EmailAddress.objects.filter(user=request.user, verified=True).exists()
    steps = {step.type: step for step in Authenticator.objects.filter(user=request.user)}
    codes = steps.get(Authenticator.Type.RECOVERY_CODES)
    context = {
        "is_confirmed": is_confirmed,
        "app": steps.get(Authenticator.Type.TOTP),
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
    }
    return render(request, "account/account.html", context)


@login_required
@require_POST
def confirm_again(request: HttpRequest) -> HttpResponse:
    """Send the link that confirms the address once more; allauth limits how often."""
    if not send_verification_email_for_user(request, request.user):
        messages.warning(request, "We sent a link a moment ago. Please look for it, or wait a bit.")
    return redirect("account")


@method_decorator(
    (never_cache, redirect_if_add_not_allowed, reauthentication_required(app="allauth.mfa")),
    name="dispatch",
)
class SetUpApp(ActivateTOTPView):  # type: ignore[misc]  # allauth has no types
    """Sets up an app, also in the place of another, so that at no time there is none."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Allauth's leads who has an app to the page that takes it away.
        return FormView.dispatch(self, request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {
            "next": get_next_redirect_url(self.request),
            "is_replaced": self._apps().exists(),
            # In groups, as one reads it aloud; apps take it so, too.
            "key": " ".join(wrap(context["form"].secret, 4)),
        }

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            # Two forms sent at once take turns.
            User.objects.select_for_update(no_key=True).get(pk=self.request.user.pk)
            self._apps().delete()
            answer: HttpResponse = super().form_valid(form)
            # Who has just typed a code of it need not sign in anew to have proved it.
            post_authentication(self.request, self._apps().get(), reauthenticated=True)
        return answer

    def get_success_url(self) -> str:
        if self.did_generate_recovery_codes:
            codes: str = passthrough_next_redirect_url(
                self.request, reverse("mfa_view_recovery_codes"), "next"
            )
            return codes
        return get_next_redirect_url(self.request) or reverse("account")

    def _apps(self) -> Any:
        return Authenticator.objects.filter(
            user_id=self.request.user.pk, type=Authenticator.Type.TOTP
        )


@method_decorator((never_cache, login_required), name="dispatch")
class RecoveryCodes(ViewRecoveryCodesView):  # type: ignore[misc]
    """Shows the codes, with the way on to where somebody wanted to go."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"next": get_next_redirect_url(self.request)}
