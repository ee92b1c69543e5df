"""What a process asks before it starts: is the database there, and does it know our tables?"""

import logging
import time
from typing import cast

import psycopg
from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 1.0
TELL_SECONDS = 5.0
CONNECT_SECONDS = 3
# The server is there and says no, but will not for long.
PASSING = (
    "starting up",
    "shutting down",
    "recovery",
    "not yet accepting",
    "connection slots",
    "too many",
)


def wait_for_database(alias: str = DEFAULT_DB_ALIAS) -> None:
    """Return as soon as the database takes connections; the log tells of the wait.

    Raises CommandError when it does not within a minute, and at once when it refuses this shop:
    a wrong password does not become right by waiting.
    """
    connection = _postgres(alias)
    where = _address(connection)
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    tell_at = time.monotonic()
    while reason := _reason_to_wait(connection, where):
        if time.monotonic() >= give_up_at:
            raise CommandError(f"No database at {where} within {PATIENCE_SECONDS:.0f} s: {reason}")
        if time.monotonic() >= tell_at:
            logger.warning("Waiting for the database at %s: %s", where, reason)
            tell_at += TELL_SECONDS
        time.sleep(POLL_SECONDS)


def require_migrations() -> None:
    """Raise CommandError when this code has migrations that the database has not.

    The other way round is no fault: while a new version is rolled out, the old one runs on newer
    tables.
    """
    missing = missing_migrations()
    connection = _postgres(DEFAULT_DB_ALIAS)
    # Nothing must be left open: `web` replaces this process by another program.
    connection.close()
    connection.close_pool()
    if missing:
        names = ", ".join(missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise CommandError(
            f"The database lacks migrations of this version ({names}{more}), so this process does "
            "not start. Run: manage.py migrate (with compose: docker compose run --rm migrate)"
        )


def missing_migrations() -> list[str]:
    """Return the migrations of this code that the database has not, like `shop.0001_initial`."""
    executor = MigrationExecutor(_postgres(DEFAULT_DB_ALIAS))
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _back in plan]


def _reason_to_wait(connection: DatabaseWrapper, where: str) -> str:
    """Try to connect; empty when the database is there.

    Raises CommandError when waiting is vain.
    """
    parameters = connection.get_connection_params() | {"connect_timeout": CONNECT_SECONDS}
    try:
        # Past the pool, which would keep the reason to itself.
        psycopg.connect(**parameters).close()
    except psycopg.OperationalError as error:
        # The last address that was tried says most; its hints are indented.
        tried = [line for line in str(error).splitlines() if not line.startswith("\t")][-1]
        reason = tried.rpartition("failed: ")[2]
        if "FATAL:" in reason and not any(words in reason for words in PASSING):
            raise CommandError(
                f"The database at {where} refuses this shop: {reason}. Check DATABASE_URL."
            ) from error
        return reason
    return ""


def _address(connection: DatabaseWrapper) -> str:
    known = connection.settings_dict
    options = known["OPTIONS"]
    host = known["HOST"] or options.get("host") or "localhost"
    return f"{host}:{known['PORT'] or options.get('port') or 5432}"


def _postgres(alias: str) -> DatabaseWrapper:
    return cast(DatabaseWrapper, connections[alias])
