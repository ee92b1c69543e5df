"""What stands in our own house: settings, database, worker, cache, mail."""

from collections.abc import Iterator
from smtplib import SMTPException

from django.conf import settings
from django.core import checks, mail
from django.db import Error, connection

from config import health
from config.doctor.examination import Finding, Visit
from payments import queue_health, startup

# Django's and our own rules that say no more than that SITE_URL is no https:// address.
_FOLLOW_FROM_HTTP = {
    "security.W004",
    "security.W008",
    "security.W012",
    "security.W016",
    "shop.E001",
    "shop.E002",
    "shop.E005",
    "shop.E006",
}
# dj-stripe's, of any endpoint that it knows; `stripe_side.secret` looks at this shop's.
_TOLD_BETTER = {"djstripe.W005"}
# Worth knowing, but right for some: HTTPS without a proxy, the sandbox.
_NOTES = {"shop.W001", "shop.W003"}


def https(visit: Visit) -> Iterator[Finding]:
    if not settings.SITE_URL.startswith("https://"):
        yield Finding(
            f"SITE_URL is {settings.SITE_URL}, so sign-ins, addresses and links travel in clear.",
            "Get a certificate, let a proxy speak HTTPS, and set SITE_URL to the https:// address.",
        )


def deployment(visit: Visit) -> Iterator[Finding]:
    """Run `check --deploy`."""
    is_http = not settings.SITE_URL.startswith("https://")
    left_out = _TOLD_BETTER | (_FOLLOW_FROM_HTTP if is_http else set())
    for message in checks.run_checks(include_deployment_checks=True):
        if message.is_silenced() or message.level < checks.WARNING or message.id in left_out:
            continue
        what = f"({message.id}) {message.msg}"
        if message.id in _NOTES:
            yield Finding(what)
        else:
            yield Finding(what, message.hint or "Set it as the message says, then restart.")


def database(visit: Visit) -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        yield Finding(
            f"PostgreSQL does not answer ({type(error).__name__}).",
            "Check DATABASE_URL, and that the server runs and lets this machine in.",
        )


def migrations(visit: Visit) -> Iterator[Finding]:
    if missing := startup.missing_migrations():
        more = " and more" if missing[3:] else ""
        yield Finding(
            f"The database lacks migrations: {', '.join(missing[:3])}{more}.",
            "Run: manage.py migrate",
        )


def cache(visit: Visit) -> Iterator[Finding]:
    if health.cache_word(health.OK) != health.OK:
        yield Finding(
            "The cache does not keep what is stored in it.",
            "Check REDIS_URL and the server there; without it run: manage.py migrate",
        )


def worker(visit: Visit) -> Iterator[Finding]:
    if not queue_health.has_worker():
        yield Finding(
            f"No worker gave a sign of life within {settings.WORKER_STALLED_SECONDS:.0f} seconds.",
            "Start one, and have it started again when it ends: manage.py worker",
        )


def queue(visit: Visit) -> Iterator[Finding]:
    for name, seconds in queue_health.behind().items():
        yield Finding(
            f"A job in the queue {name} has waited for {seconds / 60:.0f} minutes.",
            "Look at Jobs in the admin and at the worker's log, or start more workers.",
        )


def mail_server(visit: Visit) -> Iterator[Finding]:
    """Open the connection by which mail leaves, signing in where that is set."""
    try:
        with mail.get_connection() as postman:
            if visit.mail_to:
                words = "The shop can send mail: its doctor has written this."
                mail.EmailMessage(
                    f"{settings.SHOP_NAME}: a test", words, to=[visit.mail_to], connection=postman
                ).send()
    except (OSError, SMTPException) as error:
        yield Finding(
            f"Mail does not leave: {type(error).__name__}: {error}",
            "Check host, port, user and password in EMAIL_URL, and that a firewall lets it pass.",
        )
    else:
        if visit.mail_to:
            yield Finding(f"A mail was sent to {visit.mail_to}: see whether it arrived.")
