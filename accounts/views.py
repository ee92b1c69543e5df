"""The page of a user's own account."""

from allauth.account.models import EmailAddress
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show who is signed in, and the ways to what is his."""
    is_confirmed = EmailAddress.objects.filter(user=request.user, verified=True).exists()
    return render(request, "account/account.html", {"is_confirmed": is_confirmed})
