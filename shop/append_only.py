"""Tables whose rows are written once: the database itself refuses UPDATE and DELETE."""

from django.db.migrations import RunSQL

TRIGGER = "append_only"


def append_only(table: str) -> RunSQL:
    """Return the migration step that guards `table`, which must already exist.

    `audit` and the tests look for a trigger named `append_only` on each such table.
    """
    return RunSQL(
        sql=f"""
            CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
                    USING ERRCODE = 'restrict_violation';
            END $$;
            CREATE TRIGGER {TRIGGER} BEFORE UPDATE OR DELETE ON {table}
                FOR EACH ROW EXECUTE FUNCTION refuse_change();
        """,
        reverse_sql=f"DROP TRIGGER {TRIGGER} ON {table}",
    )
