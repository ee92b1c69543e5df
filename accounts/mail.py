"""Mail to people about their account, of which no page need be open: allauth's needs a request."""

from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string


def send(name: str, *, to: str, **context: Any) -> None:
    """Send the mail of the templates `<name>_subject.txt`, `_message.txt` and `_message.html`."""
    facts = {"shop_name": settings.SHOP_NAME, "site_url": settings.SITE_URL, "email": to, **context}
    subject = render_to_string(f"{name}_subject.txt", facts).strip()
    mail = EmailMultiAlternatives(
        f"{settings.ACCOUNT_EMAIL_SUBJECT_PREFIX}{subject}",
        render_to_string(f"{name}_message.txt", facts).strip(),
        to=[to],
    )
    mail.attach_alternative(render_to_string(f"{name}_message.html", facts), "text/html")
    mail.send()
