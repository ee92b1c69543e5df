"""What is noted in a session when somebody signs in."""

import time
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

from api.staff import SIGNED_IN_AT


@receiver(user_logged_in)
def note_the_time(request: HttpRequest, **kwargs: Any) -> None:
    """Note when a session was signed in: allauth does so for passwords only, not at sign-up."""
    request.session[SIGNED_IN_AT] = time.time()
