"""How staff's pages show money, people, links and JSON."""

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.contrib import admin
from django.db.models import CharField, OuterRef, Subquery
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from accounts.models import User
from shop.money import format_any

# An intent's secret, and the signature of a link to an order.
_SECRETS = re.compile(r'("client_secret": "|/orders/[^/"]+/)[^/"]+')

Method = TypeVar("Method", bound=Callable[..., object])


def badge(*, colors: dict[str, str], **options: str) -> Callable[[Method], Method]:
    """Show what a column's method returns, a key of `colors` and the text, as a colored badge.

    Other options are those of Django's `display`. The color never tells it alone.
    """
    mark: Callable[[Method], Method] = display(label=colors, **options)
    return mark


def two_lines(**options: str) -> Callable[[Method], Method]:
    """Show what a column's method returns, two texts, one below the other.

    The options are those of Django's `display`.
    """
    mark: Callable[[Method], Method] = display(header=True, **options)
    return mark


class ShowsAmount:
    """A row's amount in its own currency."""

    @admin.display(ordering="amount_minor")
    def amount(self, row: Any) -> str:
        return format_any(row.amount_minor, row.currency)


def email_of(id_column: str) -> Subquery:
    """Return the address of the user whose plain id a row keeps, found in the row's own query."""
    return Subquery(
        User.objects.filter(pk=OuterRef(id_column)).values("email"), output_field=CharField()
    )


def link(url_name: str, text: str, *args: object, query: str = "") -> SafeString:
    """Return a link to a page of the admin, like `payments_inboxevent_changelist`."""
    return format_html(
        '<a class="text-link" href="{}{}">{}</a>',
        reverse(f"admin:{url_name}", args=args),
        query,
        text,
    )


def at_stripe(path: str, stripe_id: str) -> SafeString:
    """Return a link to an object's page in Stripe's dashboard, like `disputes`."""
    mode = "" if settings.STRIPE_LIVE_MODE else "test/"
    return format_html(
        '<a class="text-link" href="https://dashboard.stripe.com/{}{}/{}" target="_blank" '
        'rel="noopener">{}</a>',
        mode,
        path,
        stripe_id,
        stripe_id,
    )


def pretty_json(value: Any) -> SafeString:
    """Return JSON as text that people can read, with nothing in it taken for HTML.

    By an intent's client secret its buyer pays, and by his link he cancels: for nobody else's eyes.
    """
    text = _SECRETS.sub(r"\1***", json.dumps(value, indent=2, ensure_ascii=False))
    return format_html('<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>', text)
