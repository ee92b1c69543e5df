"""Tables whose rows are written once: the database itself refuses UPDATE and DELETE."""

from django.db.migrations import RunSQL

TRIGGER = "append_only"
ERASABLE_TRIGGER = "never_updated"


def append_only(table: str) -> RunSQL:
    """Return the migration step that guards `table`, which must already exist.

    `audit` and the tests look for a trigger named `append_only` on each such table.
    """
    return _guard(table, TRIGGER, "UPDATE OR DELETE")


def never_updated(table: str) -> RunSQL:
    """Return the step for a table of personal data, whose rows may still be erased."""
    return _guard(table, ERASABLE_TRIGGER, "UPDATE")


def _guard(table: str, trigger: str, refused: str) -> RunSQL:
    return RunSQL(
        sql=f"""
            CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
                    USING ERRCODE = 'restrict_violation';
            END $$;
            CREATE TRIGGER {trigger} BEFORE {refused} ON {table}
                FOR EACH ROW EXECUTE FUNCTION refuse_change();
        """,
        reverse_sql=f"DROP TRIGGER {trigger} ON {table}",
    )
