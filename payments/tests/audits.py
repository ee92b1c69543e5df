"""What tests of the audit share: the command run, and the guards of a table taken away."""

from io import StringIO

from django.core.management import CommandError, call_command
from django.db import connection


def execute(sql: str, *values: int | str | None) -> None:
    with connection.cursor() as cursor:
        # What a test planted before is judged now, or its table could not be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(sql, values)


def unguarded(table: str, *constraints: str) -> None:
    """Take away the triggers and these constraints of a table, until the test is rolled back."""
    execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    for constraint in constraints:
        execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")


def audit(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it wrote."""
    out = StringIO()
    try:
        call_command("audit", *arguments, stdout=out, stderr=StringIO(), no_color=True)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()
