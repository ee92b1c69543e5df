"""The shop's settings for a view as bare as can be, which everything else is compared with."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "bench.bare_view"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
# The rest of the apps, allauth first, insists on middleware of its own.
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.postgres",
    "accounts",
    "shop",
    "bench",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
