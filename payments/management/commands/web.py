"""`manage.py web`: serve the shop by gunicorn."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand

from payments.startup import require_migrations, wait_for_database


class Command(BaseCommand):
    help = (
        "Serve the shop by gunicorn, as config/gunicorn_conf.py says: PORT, WEB_CONCURRENCY and "
        "GUNICORN_CMD_ARGS change it. Waits for the database. SIGTERM ends it."
    )
    # They take a second, and the worker runs them at every start.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        wait_for_database()
        require_migrations()
        # In the place of this process: signals reach gunicorn, and it forks nothing it should not.
        command = [sys.executable, "-m", "gunicorn"]
        command += ["--config", "python:config.gunicorn_conf", "config.wsgi"]
        os.execv(sys.executable, command)  # noqa: S606
