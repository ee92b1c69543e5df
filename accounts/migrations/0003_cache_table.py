"""The table that a cache is kept in, made for every shop: sign-in counts in it."""

from typing import Any

from django.core.management import call_command
from django.db import migrations


def make_table(apps: Any, schema_editor: Any) -> None:
    """Make what CACHES keeps its entries in, unless it is there by `manage.py createcachetable`."""
    alias = schema_editor.connection.alias
    call_command("createcachetable", "cache", database=alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_export_and_erase_permissions")]

    operations = [
        # Back: the version before uses the table too, where it has no Redis.
        migrations.RunPython(make_table, migrations.RunPython.noop)
    ]
