"""`manage.py migrate`: Django's own, once the database is there."""

from typing import Any

from django.core.management.commands import migrate

from payments.startup import wait_for_database


class Command(migrate.Command):
    def execute(self, *args: Any, **options: Any) -> str | None:
        # Before `handle`, because the checks that come first may ask the database.
        wait_for_database(options["database"])
        return super().execute(*args, **options)
