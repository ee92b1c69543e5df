"""What `manage.py audit` looks for here: a change by staff that would go unseen, or be undone."""

import hashlib

from backoffice.audit_trigger import BODY, TRIGGER, argument, table_of
from backoffice.audited import AUDITED
from payments.audit.sql import Check, not_guarded
from shop import append_only


def _watched() -> str:
    rows = ", ".join(f"('{table_of(audited.model)}', '{argument(audited)}')" for audited in AUDITED)
    body = hashlib.sha256(BODY.encode()).hexdigest()
    return rf"""
        WITH watched (name, known) AS (VALUES {rows})
        SELECT 'table ' || name, 'what staff change in it is not logged, or not as it should be'
          FROM watched
         WHERE NOT EXISTS (
               SELECT 1 FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
                WHERE t.tgrelid = name::regclass AND t.tgname = '{TRIGGER}'
                  AND t.tgenabled IN ('O', 'A')
                  -- For each row, after INSERT, DELETE and UPDATE of every column.
                  AND t.tgtype = 1 + 4 + 8 + 16 AND cardinality(t.tgattr::int2[]) = 0
                  -- An argument ends with a zero byte.
                  AND encode(t.tgargs, 'escape') = known || '\000'
                  AND encode(sha256(convert_to(f.prosrc, 'UTF8')), 'hex') = '{body}')
        """  # noqa: S608 - all of it is ours


def check() -> Check:
    """Return the check; the models must be known."""
    entries = not_guarded("backoffice_auditentry", trigger=append_only.TRIGGER, refused=8 + 16)
    erasable = not_guarded(
        "backoffice_auditaddress",
        "backoffice_auditpersonal",
        trigger=append_only.ERASABLE_TRIGGER,
        refused=16,
    )
    return Check(
        "audit_log",
        5,
        "what staff change is logged, and the log cannot be changed",
        f"{_watched()} UNION ALL {entries} UNION ALL {erasable}",
    )
