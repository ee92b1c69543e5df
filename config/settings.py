"""Every setting of the shop, read once from the environment; `.env.example` lists the variables.

Production is the default: what is unsafe must be asked for, and a missing secret stops the start.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from corsheaders.defaults import default_headers
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy

from config import embedded_postgres, logs, openapi
from shop import money

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")


def _required(name: str) -> str:
    """Return what the shop cannot start without; raises ImproperlyConfigured, empty or missing."""
    value: str = env.str(name)
    if not value:
        raise ImproperlyConfigured(f"Set the {name} environment variable")
    return value


DEBUG: bool = env.bool("DEBUG", default=False)
TESTING: bool = env.bool("TESTING", default=False)
SECRET_KEY: str = _required("SECRET_KEY")

# One address for links, cookies, redirects and hosts.
SITE_URL: str = _required("SITE_URL").rstrip("/")
_site = urlsplit(SITE_URL)
if _site.scheme not in {"http", "https"} or not _site.hostname or _site.path:
    raise ImproperlyConfigured(f"SITE_URL must be like https://shop.example, not {SITE_URL!r}")
_https = _site.scheme == "https"

# The shop

SHOP_NAME: str = env.str("SHOP_NAME", default="Quire & Quill")
SHOP_ADDRESS: list[str] = env.list("SHOP_ADDRESS", default=[])
SHOP_TAX_ID: str = env.str("SHOP_TAX_ID", default="")
SHOP_CURRENCY: str = money.currency(env.str("SHOP_CURRENCY", default="EUR")).code
SHOP_COUNTRIES: list[str] = env.list(
    "SHOP_COUNTRIES", default=["AT", "BE", "CH", "DE", "ES", "FR", "GB", "IE", "IT", "NL", "US"]
)
SHIPPING_FLAT_MINOR: int = env.int("SHIPPING_FLAT_MINOR", default=490)
SHIPPING_FREE_FROM_MINOR: int = env.int("SHIPPING_FREE_FROM_MINOR", default=50_00)
# What the pages promise on returns; 0 promises nothing.
RETURN_DAYS: int = env.int("RETURN_DAYS", default=14)
# A carrier's page for a number, where it has one.
CARRIERS: dict[str, str] = {
    name: page
    for name, _, page in (
        carrier.partition("=")
        for carrier in env.list(
            "CARRIERS",
            default=[
                "DHL=https://www.dhl.com/global-en/home/tracking.html?tracking-id={number}",
                "DPD=https://tracking.dpd.de/status/en_US/parcel/{number}",
                "FedEx=https://www.fedex.com/fedextrack/?trknbr={number}",
                "UPS=https://www.ups.com/track?tracknum={number}",
            ],
        )
    )
}
for _page in filter(None, CARRIERS.values()):
    if not _page.startswith("https://") or "{number}" not in _page:
        raise ImproperlyConfigured(
            f"CARRIERS has names, or Name=https://carrier.example/{{number}}, not {_page!r}"
        )
# Refunds above it wait for a second person; 0: none does.
REFUND_LIMIT_MINOR: int = env.int("REFUND_LIMIT_MINOR", default=200_00)
CART_LINE_LIMIT: int = env.int("CART_LINE_LIMIT", default=20)
# As few free units of a variant, or fewer, are told to staff, unless it has a figure of its own.
LOW_STOCK_AT: int = env.int("LOW_STOCK_AT", default=5)

# Deadlines of an order, and of an attempt to pay for it

HOLD = timedelta(minutes=60)
PAY_WITHIN = timedelta(hours=24)
# Of an order that staff placed, which is held as long.
STAFF_PAY_WITHIN = timedelta(days=7)
SESSION_LASTS = timedelta(minutes=45)
CLOCK_MARGIN = timedelta(minutes=5)

# How many orders may wait for payment at once, so that nobody can reserve the shop empty

PENDING_LIMIT_PER_BUYER: int = env.int("PENDING_LIMIT_PER_BUYER", default=5)
PENDING_LIMIT_PER_ADDRESS: int = env.int("PENDING_LIMIT_PER_ADDRESS", default=30)

# Two e-mail addresses that differ in case alone are one: a constraint holds what `unique` cannot.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]

# Stripe

STRIPE_SECRET_KEY: str = _required("STRIPE_SECRET_KEY")
STRIPE_PUBLISHABLE_KEY: str = env.str("STRIPE_PUBLISHABLE_KEY", default="")
# Read by `provision_webhook` alone: the endpoint's row decides what a delivery is signed with.
STRIPE_WEBHOOK_SECRET: str = env.str("STRIPE_WEBHOOK_SECRET", default="")
STRIPE_API_VERSION = "2026-05-27.dahlia"
STRIPE_APP_TAG: str = env.str("STRIPE_APP_TAG", default="shop")
STRIPE_LIVE_MODE = STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))
if STRIPE_LIVE_MODE:
    STRIPE_LIVE_SECRET_KEY = STRIPE_SECRET_KEY
else:
    STRIPE_TEST_SECRET_KEY = STRIPE_SECRET_KEY
_stripe_pages = ["https://checkout.stripe.com"]
# dj-stripe takes even an empty STRIPE_API_HOST for an address, so it exists only when it is used.
if _stripe_host := env.str("STRIPE_API_HOST", default="").rstrip("/"):
    if STRIPE_LIVE_MODE:
        raise ImproperlyConfigured("STRIPE_API_HOST is for the sandbox: refused with a live key")
    STRIPE_API_HOST = _stripe_host
    _stripe_pages.append(STRIPE_API_HOST)
    SILENCED_SYSTEM_CHECKS.append("djstripe.W002")
PAYMENT_METHODS: list[str] = env.list("PAYMENT_METHODS", default=["card"])
if not PAYMENT_METHODS:
    raise ImproperlyConfigured("PAYMENT_METHODS is empty: without it, people pay by card")
# Payloads of Stripe's events hold personal data; their ids are kept for good.
INBOX_KEEP_DAYS: int = env.int("INBOX_KEEP_DAYS", default=30)
if INBOX_KEEP_DAYS < 1:
    raise ImproperlyConfigured(f"INBOX_KEEP_DAYS must be 1 or more, not {INBOX_KEEP_DAYS}")
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
DJSTRIPE_SUBSCRIBER_CUSTOMER_KEY = None

# Waits of the worker, in seconds

RETRY_FIRST_SECONDS: float = env.float("RETRY_FIRST_SECONDS", default=5)
RETRY_LONGEST_SECONDS: float = env.float("RETRY_LONGEST_SECONDS", default=300)
WORKER_POLL_SECONDS: float = env.float("WORKER_POLL_SECONDS", default=5)
WORKER_HEARTBEAT_SECONDS: float = env.float("WORKER_HEARTBEAT_SECONDS", default=10)
WORKER_STALLED_SECONDS: float = env.float("WORKER_STALLED_SECONDS", default=30)

# For tests only

CLOCK_OFFSET_FILE: str = env.str("CLOCK_OFFSET_FILE", default="")
FAULT_POINT: str = env.str("FAULT_POINT", default="")
if (CLOCK_OFFSET_FILE or FAULT_POINT) and (STRIPE_LIVE_MODE or not TESTING):
    raise ImproperlyConfigured("CLOCK_OFFSET_FILE and FAULT_POINT are for tests (TESTING) only")

# Django

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sitemaps",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.headless",
    "procrastinate.contrib.django",
    "djstripe",
    "api",
    "accounts",
    "shop",
    "cart",
    "orders",
    "payments",
    "backoffice",
    "config",
]
MIDDLEWARE = [
    "config.logs.requests",
    "django.middleware.security.SecurityMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "config.headers.resource_policy",
    "corsheaders.middleware.CorsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.admin_site.policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "backoffice.audit.staff_act",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "cart.middleware.guest_cart",
    "config.admin_site.gate",
    "config.busy.BusyDatabase",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shop.context.shop",
                "cart.context.cart",
            ]
        },
    }
]

_database = env.db_url_config(
    env.str("DATABASE_URL", default="") or embedded_postgres.lease(BASE_DIR / "var")
)
_database["CONN_HEALTH_CHECKS"] = True
_database["OPTIONS"] = _database.get("OPTIONS", {}) | {
    "pool": {"min_size": 1, "max_size": env.int("DATABASE_POOL_SIZE", default=10), "timeout": 5},
    # A stuck lock or a forgotten transaction must not hold up the shop.
    "options": "-c lock_timeout=5s -c idle_in_transaction_session_timeout=60s",
}
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

_table: dict[str, Any] = {
    "BACKEND": "django.core.cache.backends.db.DatabaseCache",
    # Made by a migration of accounts/.
    "LOCATION": "cache",
    # Beyond it entries are culled at random, and with them the counts of the limits.
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
_redis: dict[str, Any] = {
    "BACKEND": "django_redis.cache.RedisCache",
    "LOCATION": env.str("REDIS_URL", default=""),
    # Redis away: what it would have kept is made anew, and nothing is limited by it.
    "OPTIONS": {"IGNORE_EXCEPTIONS": True, "SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 1},
}
_memory: dict[str, Any] = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
CACHES: dict[str, dict[str, Any]] = {
    # Sign-in counts here, which would let nobody in with Redis away: where allauth's limits cannot
    # count they refuse, and so does a second step that cannot remember which codes were used.
    "default": _memory if TESTING else _table,
    # For what may be lost at any time: the counts of api/limits.py, the map of the site.
    "quick": _memory if TESTING else _redis if _redis["LOCATION"] else _table,
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "config.formats"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "/media/"
# Empty would mean the working directory, which must not be served.
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default="") or BASE_DIR / "media")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING or DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# Mail

vars().update(env.email("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", default="") or f"shop@{_site.hostname}"
SERVER_EMAIL = DEFAULT_FROM_EMAIL
STAFF_EMAIL: str = env.str("STAFF_EMAIL", default="")

# Sign-in

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"{SHOP_NAME}: "
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_FORMS = {"signup": "accounts.forms.SignupForm"}
# Tries per client address (ip), and per e-mail address (key), so that neither one address can guess
# at many accounts, nor many addresses at one, nor anybody fill a mailbox with our mail. Codes of a
# second step are tries of `login_failed` as well, with the account as key.
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "signup": "10/10m/ip",
    "reset_password": "10/10m/ip,3/h/key",
    "reset_password_from_key": "20/m/ip",
    "change_password": "5/m/user",
}
MFA_ADAPTER = "accounts.adapters.MFAAdapter"
MFA_FORMS = {
    "authenticate": "accounts.forms.SecondStepForm",
    "reauthenticate": "accounts.forms.SecondStepAgainForm",
    "activate_totp": "accounts.forms.SetUpForm",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
# Tests sign in by the password alone, but for those that switch it on.
STAFF_SECOND_FACTOR: bool = env.bool("STAFF_SECOND_FACTOR", default=True) and not TESTING
STAFF_SESSION_HOURS: int = env.int("STAFF_SESSION_HOURS", default=8)
if STAFF_SESSION_HOURS < 1:
    raise ImproperlyConfigured(f"STAFF_SESSION_HOURS must be 1 or more, not {STAFF_SESSION_HOURS}")

# The browser's side of safety

ALLOWED_HOSTS = [_site.hostname]
CSRF_TRUSTED_ORIGINS = [SITE_URL]
# Browsers take a cookie of this prefix from this very host alone, and over HTTPS.
_prefix = "__Host-" if _https else ""
SESSION_COOKIE_NAME = f"{_prefix}sessionid"
CSRF_COOKIE_NAME = f"{_prefix}csrftoken"
CART_COOKIE_NAME = f"{_prefix}cart"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = _https
# Stripe counts a redirect as a failure, and a health check comes without a proxy.
SECURE_REDIRECT_EXEMPT = [r"^stripe/webhook/", r"^health(/deep)?$"]
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
PERMISSIONS_POLICY: dict[str, list[str]] = {
    "accelerometer": [],
    "camera": [],
    "display-capture": [],
    "geolocation": [],
    "gyroscope": [],
    "magnetometer": [],
    "microphone": [],
    "midi": [],
    "payment": [],
    "usb": [],
}
# Beyond what any form of the shop or of its admin sends; the webhook's body has this limit too.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 20
TRUSTED_PROXY_COUNT: int = env.int("TRUSTED_PROXY_COUNT", default=0)
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        # Browsers hold the redirect that answers a form to this list: Stripe's page must be on it.
        "form-action": [SELF, *_stripe_pages],
    }
}

# The JSON API

REST_FRAMEWORK = {
    "NUM_PROXIES": TRUSTED_PROXY_COUNT,
    # How often one address, one user and one guest may ask for something, by pages and API alike.
    "DEFAULT_THROTTLE_RATES": {
        "api": "120/min",
        "place_order": "20/min",
        "find_order": "10/min",
    },
    "DEFAULT_AUTHENTICATION_CLASSES": ["api.security.Bearer", "api.security.Session"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["api.parsers.Json"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "api.schema.Schema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "api.problems.handler",
    "URL_FORMAT_OVERRIDE": None,
}
# Tokens of the API stand for a session in the database, so that they end with it.
HEADLESS_CLIENTS = ("app",)
HEADLESS_TOKEN_STRATEGY = "accounts.tokens.TokenStrategy"  # noqa: S105 - a class
HEADLESS_JWT_ALGORITHM = "HS256"
HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True
HEADLESS_JWT_ROTATE_REFRESH_TOKEN = True
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 15 * 60
HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = 14 * 24 * 3600
# Whose pages may use the API in a browser; they send tokens, never the shop's cookies.
CORS_ALLOWED_ORIGINS: list[str] = env.list("API_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = [
    *default_headers,
    "api-version",
    "cart-token",
    "idempotency-key",
    "if-none-match",
    "order-token",
]
CORS_EXPOSE_HEADERS = ["api-version", "etag", "idempotent-replayed", "retry-after"]
SPECTACULAR_SETTINGS = openapi.settings(shop_name=SHOP_NAME, site_url=SITE_URL)

# The admin

UNFOLD = {
    "SITE_TITLE": f"{SHOP_NAME} staff",
    "SITE_HEADER": SHOP_NAME,
    "SITE_SUBHEADER": "Staff",
    "SITE_SYMBOL": "menu_book",
    "SITE_FAVICONS": [{"rel": "icon", "href": f"{STATIC_URL}img/icon.svg"}],
    "STYLES": [lambda request: static("css/backoffice.css")],
    "SCRIPTS": [lambda request: static("js/backoffice.js")],
    "SIDEBAR": {"show_search": True, "navigation": "config.admin_site.menu"},
    "ENVIRONMENT": "backoffice.dashboard.environment",
    "DASHBOARD_CALLBACK": "backoffice.dashboard.dashboard",
}

# What the log says

_style: str = env.str("LOG_FORMAT", default="") or ("console" if DEBUG else "json")
LOGGING = logs.settings(style=_style, level=env.str("LOG_LEVEL", default="INFO"))
PROCRASTINATE_ON_APP_READY = "payments.tracing.carry_request_id"
