"""Django as a small framework: urls, forms and templates; no database, sessions or cookies."""

import secrets
from pathlib import Path

SECRET_KEY = secrets.token_hex()  # signs nothing that outlives the process
DEBUG = False
ALLOWED_HOSTS = ["*"]  # it answers on whatever name it is reached by, and keeps no cookie
ROOT_URLCONF = "stripe_sandbox.urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
    }
]

# Only what nobody asked for: a fault's 500 is no news.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "unexpected": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: record.exc_info is not None,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["unexpected"]}},
    "loggers": {"django": {"handlers": ["console"], "level": "ERROR", "propagate": False}},
}
