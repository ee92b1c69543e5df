"""Every table of ours is watched or known not to be, and nobody can change the log."""

from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Model

from accounts.models import User
from accounts.tests.factories import UserFactory
from backoffice.audit import acting
from backoffice.audit_trigger import attach, table_of
from backoffice.audited import AUDITED, NOT_AUDITED
from backoffice.models import AuditEntry
from payments.audit import checks
from payments.tests.audits import execute, undone
from shop.clock import now
from shop.tests.guards import append_only_tables, assert_append_only

pytestmark = pytest.mark.django_db

OURS = {"account", "accounts", "api", "auth", "backoffice", "cart", "orders", "payments", "shop"}
# Those of whom personal data can be erased.
PEOPLE = {"accounts.User", "orders.Order"}


def found() -> list[str]:
    """Return what the audit's check of the log names."""
    (check,) = (check for check in checks.CHECKS if check.name == "audit_log")
    return sorted(offender.what for offender in checks.offenders(check, at=now()))


@pytest.fixture
def entry(boss: User) -> AuditEntry:
    with acting(user_id=boss.pk, how="a test", address="192.0.2.1"):
        UserFactory()
    return AuditEntry.objects.get()


def test_every_model_is_audited_or_there_is_a_reason() -> None:
    models: set[type[Model]] = {
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in OURS and not model._meta.proxy
    }

    audited = {apps.get_model(one.model) for one in AUDITED}
    not_audited = {apps.get_model(name) for name in NOT_AUDITED}
    assert audited & not_audited == set()
    assert {model._meta.label for model in models - audited - not_audited} == set()


@pytest.mark.parametrize("audited", AUDITED, ids=lambda audited: audited.model)
def test_what_is_said_of_a_table_is_so(audited: Any) -> None:
    with connection.cursor() as cursor:
        columns = {
            column.name
            for column in connection.introspection.get_table_description(
                cursor, table_of(audited.model)
            )
        }

    whole, column = audited.part_of
    named = {audited.name, column} - {""}
    apart = [*audited.personal, *audited.secret, *audited.ignored]
    assert named | set(apart) | {"id"} <= columns
    assert len(set(apart)) == len(apart)
    assert not named & set(apart), "a name and a whole are kept for good"
    if whole:
        fields = apps.get_model(audited.model)._meta.concrete_fields
        (field,) = (field for field in fields if field.column == column)
        assert field.related_model is apps.get_model(whole)


def test_personal_data_is_kept_only_where_erasing_finds_it() -> None:
    elsewhere = {one.model for one in AUDITED if one.personal} - PEOPLE

    assert {one.part_of[0] for one in AUDITED if one.model in elsewhere} <= PEOPLE


def test_entries_are_append_only_and_what_is_personal_can_only_be_deleted(
    entry: AuditEntry,
) -> None:
    assert append_only_tables("backoffice") == {"backoffice_auditentry"}
    assert_append_only(entry, how="another")
    for row, change in ((entry.personal_values, {"after": {}}), (entry.origin, {"address": "::1"})):
        rows = type(row)._base_manager.filter(pk=row.pk)
        with pytest.raises(Exception, match="is append-only: UPDATE refused"), undone():
            rows.update(**change)
        assert rows.values().get() == type(row)._base_manager.values().get()
        assert rows.delete()[0] == 1


def test_a_migrated_database_watches_all_and_its_guards_stand() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("ALTER TABLE shop_product DISABLE TRIGGER audit", "shop_product"),
        ("DROP TRIGGER audit ON accounts_user_groups", "accounts_user_groups"),
        (
            "CREATE OR REPLACE TRIGGER audit AFTER UPDATE OR DELETE ON shop_product"
            " FOR EACH ROW EXECUTE FUNCTION backoffice_audit('{}')",
            "shop_product",
        ),
        ("ALTER TABLE backoffice_auditentry DISABLE TRIGGER USER", "backoffice_auditentry"),
        ("DROP TRIGGER never_updated ON backoffice_auditaddress", "backoffice_auditaddress"),
        ("DROP TRIGGER never_updated ON backoffice_auditpersonal", "backoffice_auditpersonal"),
    ],
)
def test_a_guard_or_a_watch_that_is_missing_is_named(change: str, table: str) -> None:
    with undone():
        execute(change)

        assert found() == [f"table {table}"]


def test_a_watch_that_does_nothing_is_named_and_attaching_again_mends_all() -> None:
    execute(
        "CREATE OR REPLACE FUNCTION backoffice_audit() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NULL; END $$"
    )
    execute("DROP TRIGGER audit ON shop_product")
    assert len(found()) == len(AUDITED)

    attach()

    assert found() == []
