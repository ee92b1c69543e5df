"""`check --deploy`: what must hold where real people buy, beyond Django's own list.

Most of it stands in settings.py and holds by itself; this list is for the day somebody edits it.
The rest is the environment's: HTTPS, the proxy, mail.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from csp.constants import NONCE, NONE, SELF
from django.apps import AppConfig
from django.conf import settings as active_settings
from django.core.checks import CheckMessage, Error, Warning

_A_YEAR = 31_536_000
_LARGEST_BODY_BYTES = 2_500_000
_CSP_NEEDS = {"object-src": [NONE], "base-uri": [NONE], "frame-ancestors": [NONE]}
_CSP_SOURCES = {SELF, NONE, NONCE, "data:"}
_REFERRER_POLICIES = {
    "no-referrer",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
}
# Mail that reaches nobody.
_MAIL_BACKENDS = ("console", "dummy", "filebased", "locmem")


@dataclass(frozen=True)
class Rule:
    """`is_broken` tells from the settings whether the rule is broken."""

    id: str
    is_broken: Callable[[Any], bool]
    message: str
    hint: str
    kind: type[Error] | type[Warning] = Error


def production(app_configs: Iterable[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is broken in the active settings."""
    return broken(active_settings)


def broken(settings: Any) -> list[CheckMessage]:
    """Return a message for every rule that `settings` break."""
    return [
        rule.kind(rule.message, hint=rule.hint, id=f"shop.{rule.id}")
        for rule in _RULES
        if rule.is_broken(settings)
    ]


def _is_http(settings: Any) -> bool:
    return not settings.SITE_URL.startswith("https://")


def _has_loose_cookie(settings: Any) -> bool:
    return (
        # Only a cookie of this prefix is certain to come from this very host.
        any(
            not getattr(settings, f"{cookie}_COOKIE_NAME").startswith("__Host-")
            for cookie in ("SESSION", "CSRF", "CART")
        )
        or any(
            not getattr(settings, f"{cookie}_COOKIE_SECURE")
            or not getattr(settings, f"{cookie}_COOKIE_HTTPONLY")
            or getattr(settings, f"{cookie}_COOKIE_SAMESITE") not in {"Lax", "Strict"}
            or getattr(settings, f"{cookie}_COOKIE_DOMAIN") is not None
            for cookie in ("SESSION", "CSRF")
        )
    )


def _has_loose_csp(settings: Any) -> bool:
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    sources = {
        source for name, values in directives.items() if name.endswith("-src") for source in values
    }
    return (
        "csp.middleware.CSPMiddleware" not in settings.MIDDLEWARE
        or directives.get("default-src") not in ([SELF], [NONE])
        or any(directives.get(name) != values for name, values in _CSP_NEEDS.items())
        or "form-action" not in directives
        or not sources <= _CSP_SOURCES
    )


def _may_use_devices(settings: Any) -> bool:
    return (
        "django_permissions_policy.PermissionsPolicyMiddleware" not in settings.MIDDLEWARE
        or any(
            settings.PERMISSIONS_POLICY.get(feature) != []
            for feature in ("camera", "geolocation", "microphone", "payment", "usb")
        )
    )


def _has_loose_body_limit(settings: Any) -> bool:
    limits = [
        (settings.DATA_UPLOAD_MAX_MEMORY_SIZE, _LARGEST_BODY_BYTES),
        (settings.DATA_UPLOAD_MAX_NUMBER_FIELDS, 1000),
        (settings.DATA_UPLOAD_MAX_NUMBER_FILES, 100),
    ]
    return any(limit is None or limit > most for limit, most in limits)


_RULES = [
    Rule(
        "E001",
        _is_http,
        "SITE_URL is not an https:// address.",
        "Sign-ins, addresses and links to orders would travel in clear. Get a certificate.",
    ),
    Rule(
        "E002",
        lambda s: s.STRIPE_LIVE_MODE and _is_http(s),
        "STRIPE_SECRET_KEY is a live key, and SITE_URL is not an https:// address.",
        "Stripe takes live payments from sites with HTTPS only. Use a test key until then.",
    ),
    Rule(
        "E003",
        lambda s: s.TESTING,
        "TESTING is on.",
        "It is for the project's own tests. Take it out of the environment.",
    ),
    Rule(
        "E004",
        lambda s: not s.ALLOWED_HOSTS or any(h.startswith(("*", ".")) for h in s.ALLOWED_HOSTS),
        "ALLOWED_HOSTS takes more than one known host.",
        "Name hosts in full: links in mails are made from what a visitor sends as Host.",
    ),
    Rule(
        "E005",
        _has_loose_cookie,
        "The cookie of session, CSRF or cart is not as strict as it can be.",
        "Each is Secure, HttpOnly, SameSite, without a domain, and named __Host-...",
    ),
    Rule(
        "E006",
        lambda s: s.SECURE_HSTS_SECONDS < _A_YEAR,
        "SECURE_HSTS_SECONDS is less than a year.",
        "Without it a visitor's first request can be answered by somebody else.",
    ),
    Rule(
        "E007",
        _has_loose_csp,
        "CONTENT_SECURITY_POLICY allows inline code or other hosts, or lacks a directive.",
        "Pages load from 'self' alone. What the admin needs is added in config/admin_site.py.",
    ),
    Rule(
        "E008",
        _may_use_devices,
        "PERMISSIONS_POLICY leaves camera, geolocation, microphone, payment or usb open.",
        "No page needs them; set each to [] and keep the middleware.",
    ),
    Rule(
        "E009",
        lambda s: (
            "config.headers.resource_policy" not in s.MIDDLEWARE
            or s.SECURE_CROSS_ORIGIN_OPENER_POLICY != "same-origin"
        ),
        "Other sites' pages may load parts of ours or keep a handle on them.",
        "Keep config.headers.resource_policy, and SECURE_CROSS_ORIGIN_OPENER_POLICY same-origin.",
    ),
    Rule(
        "E010",
        lambda s: s.SECURE_REFERRER_POLICY not in _REFERRER_POLICIES,
        "SECURE_REFERRER_POLICY lets other sites see the address of a page.",
        "The address of an order's page opens it. Use same-origin.",
    ),
    Rule(
        "E011",
        lambda s: s.USE_X_FORWARDED_HOST or s.USE_X_FORWARDED_PORT,
        "X-Forwarded-Host or X-Forwarded-Port is believed.",
        "SITE_URL says where the shop is; have the proxy pass on Host.",
    ),
    Rule(
        "E012",
        lambda s: bool(s.SECURE_PROXY_SSL_HEADER) != bool(s.TRUSTED_PROXY_COUNT),
        "SECURE_PROXY_SSL_HEADER and TRUSTED_PROXY_COUNT disagree.",
        "The header is believed if, and only if, a proxy of ours sets it.",
    ),
    Rule(
        "E013",
        _has_loose_body_limit,
        "A request may be larger than any that the shop needs.",
        "Set DATA_UPLOAD_MAX_MEMORY_SIZE, _NUMBER_FIELDS and _NUMBER_FILES.",
    ),
    Rule(
        "W001",
        lambda s: not _is_http(s) and not s.TRUSTED_PROXY_COUNT,
        "TRUSTED_PROXY_COUNT is 0, so no proxy is believed to have spoken HTTPS.",
        "Behind a proxy every page would redirect to itself: count your proxies. Ignore this only "
        "where gunicorn itself holds the certificate.",
        Warning,
    ),
    Rule(
        "W002",
        lambda s: any(name in s.EMAIL_BACKEND for name in _MAIL_BACKENDS),
        "Mail is not sent to anybody.",
        "Set EMAIL_URL, such as smtp+tls://user:password@host:587.",
        Warning,
    ),
    Rule(
        "W003",
        lambda s: hasattr(s, "STRIPE_API_HOST"),
        "STRIPE_API_HOST is set: payments go to the sandbox, not to Stripe.",
        "Take it out of the environment to take real money.",
        Warning,
    ),
    Rule(
        "W004",
        lambda s: not s.STAFF_EMAIL,
        "STAFF_EMAIL is empty: nobody is told by mail that a payment is disputed.",
        "Set an address that is read daily: a dispute not answered in time is lost.",
        Warning,
    ),
    Rule(
        "W005",
        lambda s: not s.STAFF_SECOND_FACTOR,
        "STAFF_SECOND_FACTOR is off: whoever learns a password of staff has the whole shop.",
        "Take it out of the environment. Staff are then led to set up an app at the next sign-in.",
        Warning,
    ),
]
