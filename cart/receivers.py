"""The edge where Django tells of sign-in and sign-out."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.models import User
from cart.access import forget_guest, merge_at_sign_in
from shop.clock import now


@receiver(user_logged_in)
def merge_guest_cart(request: HttpRequest, user: User, **kwargs: Any) -> None:
    merge_at_sign_in(request, user, at=now())


@receiver(user_logged_out)
def start_afresh(request: HttpRequest, **kwargs: Any) -> None:
    forget_guest(request)
