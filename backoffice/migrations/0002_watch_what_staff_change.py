"""Have the audit log watch every table that staff can change."""

from django.db import migrations

from backoffice.audit_trigger import attach, detach


class Migration(migrations.Migration):
    # Locks on all these tables at once could deadlock with the shop.
    atomic = False

    dependencies = [
        ("account", "0009_emailaddress_unique_primary_email"),
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("backoffice", "0001_audit_log"),
        ("orders", "0009_lines_by_variant"),
        ("payments", "0008_refundrequest_and_means"),
        ("shop", "0008_unhurried"),
    ]
    operations = [migrations.RunPython(attach, detach)]
