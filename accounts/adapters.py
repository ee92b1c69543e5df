"""Where the shop judges otherwise than allauth: about the second step, and who must keep it."""

from typing import Any, cast

import qrcode
import structlog
from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from qrcode.image.svg import SvgPathFillImage

from accounts import mail
from accounts.models import User
from api.staff import age_seconds, proved_at

logger = structlog.get_logger(__name__)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Ask nobody again who has only just signed in, with all that his account asks for."""
        user, session = self.request.user, self.request.session
        is_whole = not is_mfa_enabled(user) or proved_at(user, session) > 0
        is_recent = age_seconds(session) < app_settings.REAUTHENTICATION_TIMEOUT
        if is_whole and is_recent:
            return False
        required: bool = super().is_reauthentication_required(app=app, **kwargs)
        return required

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Let the second step be changed by the second step alone: the password is the first."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return [each for each in methods if each["id"] == "mfa_reauthenticate"] or methods

    def send_notification_mail(
        self, template_prefix: str, user: User, *args: Any, **kwargs: Any
    ) -> None:
        """Tell whoever's second step was changed, whether his address is confirmed or not."""
        if template_prefix.startswith("mfa/"):
            try:
                mail.send(template_prefix, to=user.email)
            except OSError:
                # It is done. An error page would hide that, and the recovery codes.
                logger.exception("a change of the second step could not be mailed")


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": "Staff sign in with two steps, so this one stays on.",
        "cannot_generate_recovery_codes": "Set up an app first.",
        "incorrect_code": "This code is wrong, or was used before. Enter the one shown now.",
        "unverified_email": "Confirm your e-mail address first, by the link that we sent you.",
    }

    def get_totp_issuer(self) -> str:
        return settings.SHOP_NAME

    def build_totp_svg(self, url: str) -> str:
        """Return the picture on a white ground of its own: by night the page is dark."""
        picture = qrcode.make(url, image_factory=SvgPathFillImage).to_string(encoding="unicode")
        return cast(str, picture)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return not authenticator.user.needs_second_factor
