"""The trigger that writes the audit log, so that no way of writing a row can forget it."""

import json
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.backends.utils import CursorWrapper

from backoffice.audited import AUDITED, Audited

TRIGGER = "audit"
# What a transaction is marked with, as JSON: who acts. Where it is empty, no staff do.
MARK = "shop.audit"
# The trigger's only argument is what `audited` says of the table.
BODY = """
DECLARE
    actor jsonb := current_setting('shop.audit');
    known jsonb := TG_ARGV[0];
    old_row jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE to_jsonb(OLD) END;
    new_row jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}' ELSE to_jsonb(NEW) END;
    either jsonb := old_row || new_row;
BEGIN
    -- A column without a value is as one that is not there: of a row that is added or deleted
    -- those count that are set.
    WITH changed AS (
        SELECT col, old_row -> col AS was, new_row -> col AS becomes,
               CASE WHEN known -> 'secret' ? col THEN 'secret'
                    WHEN known -> 'personal' ? col THEN 'personal'
                    ELSE 'plain' END AS kind
          FROM jsonb_object_keys(either) AS col
         WHERE col <> 'id' AND NOT known -> 'ignored' ? col
           AND coalesce(old_row -> col, 'null') <> coalesce(new_row -> col, 'null')
    ), entry AS (
        INSERT INTO backoffice_auditentry (
               at, by_user_id, how, request_id, action, model, row_id, row_name,
               part_of, part_of_id, before, after, personal, secret)
        SELECT clock_timestamp(), (actor ->> 'user_id')::bigint, actor ->> 'how',
               actor ->> 'request_id', lower(TG_OP), known ->> 'model', either ->> 'id',
               coalesce(either ->> (known ->> 'name'), ''),
               known ->> 'part_of', coalesce(either ->> (known ->> 'whole'), ''),
               coalesce(jsonb_object_agg(col, was)
                        FILTER (WHERE kind = 'plain' AND was IS NOT NULL), '{}'),
               coalesce(jsonb_object_agg(col, becomes)
                        FILTER (WHERE kind = 'plain' AND becomes IS NOT NULL), '{}'),
               coalesce(array_agg(col ORDER BY col) FILTER (WHERE kind = 'personal'), '{}'),
               coalesce(array_agg(col ORDER BY col) FILTER (WHERE kind = 'secret'), '{}')
          FROM changed
        HAVING count(*) > 0 OR TG_OP <> 'UPDATE'
        RETURNING id
    ), origin AS (
        INSERT INTO backoffice_auditaddress (entry_id, address)
        SELECT id, (actor ->> 'address')::inet FROM entry WHERE actor ->> 'address' IS NOT NULL
    )
    INSERT INTO backoffice_auditpersonal (entry_id, before, after)
    SELECT entry.id,
           coalesce(jsonb_object_agg(col, was) FILTER (WHERE was IS NOT NULL), '{}'),
           coalesce(jsonb_object_agg(col, becomes) FILTER (WHERE becomes IS NOT NULL), '{}')
      FROM entry, changed WHERE kind = 'personal' GROUP BY entry.id;
    RETURN NULL;
END """


def attach(*_of_migration: Any) -> None:
    """Watch every table of `audited` that exists, as it says now: for a migration's RunPython.

    Safe to repeat. It must not be atomic: locks on all tables at once could deadlock with the shop.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION backoffice_audit() RETURNS trigger LANGUAGE plpgsql"
            f" AS $${BODY}$$"
        )
        tables = connection.introspection.table_names(cursor)
        for audited in AUDITED:
            if (table := table_of(audited.model)) in tables:
                _attach(cursor, table, audited)


def _attach(cursor: CursorWrapper, table: str, audited: Audited) -> None:
    # The WHEN is all that those pay who are not staff.
    cursor.execute(
        f"CREATE OR REPLACE TRIGGER {TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON {table}"
        f" FOR EACH ROW WHEN (current_setting('{MARK}', true) <> '')"
        " EXECUTE FUNCTION backoffice_audit(%s)",
        [argument(audited)],
    )


def detach(*_of_migration: Any) -> None:
    """Watch nothing any more: the way back of a migration."""
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION backoffice_audit CASCADE")


def argument(audited: Audited) -> str:
    """Return what the trigger is told of its table, as JSON."""
    part_of, column = audited.part_of
    return json.dumps(
        {
            "model": audited.model.lower(),
            "name": audited.name,
            "part_of": part_of.lower(),
            "whole": column,
            "personal": audited.personal,
            "secret": audited.secret,
            "ignored": audited.ignored,
        }
    )


def table_of(model: str) -> str:
    """Return the table of a model, one that Django made for a many-to-many field among them."""
    table: str = apps.get_model(model)._meta.db_table
    return table
