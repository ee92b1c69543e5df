"""What staff changed; written by the triggers of the next migration."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from shop.append_only import append_only, never_updated


class Migration(migrations.Migration):
    initial = True

    # The guard's helper stands in the shop.
    dependencies = [("shop", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(help_text="By the database's clock.")),
                ("by_user_id", models.BigIntegerField(help_text="The user's id; a plain number.")),
                ("how", models.TextField(help_text="The name of the page, or of the command.")),
                ("request_id", models.TextField(blank=True, help_text="As in the log's lines.")),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("insert", "added"),
                            ("update", "changed"),
                            ("delete", "deleted"),
                        ],
                        max_length=6,
                    ),
                ),
                ("model", models.TextField(help_text="Like shop.product.")),
                ("row_id", models.TextField()),
                (
                    "row_name",
                    models.TextField(blank=True, help_text="What people call it, such as its SKU."),
                ),
                (
                    "part_of",
                    models.TextField(
                        blank=True, help_text="The model of the row that it belongs to."
                    ),
                ),
                ("part_of_id", models.TextField(blank=True)),
                ("before", models.JSONField()),
                ("after", models.JSONField()),
                (
                    "personal",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        help_text="Personal columns that differ.",
                        size=None,
                    ),
                ),
                (
                    "secret",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        help_text="Secret columns that differ.",
                        size=None,
                    ),
                ),
            ],
            options={
                "verbose_name": "change by staff",
                "verbose_name_plural": "changes by staff",
                "ordering": ["-at", "-pk"],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["-at", "-id"], name="audit_newest"),
                    models.Index(fields=["by_user_id", "-at", "-id"], name="audit_by_user"),
                    models.Index(fields=["model", "-at", "-id"], name="audit_by_model"),
                    models.Index(fields=["row_id", "model"], name="audit_by_row"),
                    models.Index(fields=["part_of_id", "part_of"], name="audit_by_whole"),
                    models.Index(fields=["row_name"], name="audit_by_name"),
                    models.Index(fields=["request_id"], name="audit_by_request"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("action__in", ["insert", "update", "delete"])),
                        name="audit_action_is_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditAddress",
            fields=[
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="origin",
                        serialize=False,
                        to="backoffice.auditentry",
                    ),
                ),
                ("address", models.GenericIPAddressField()),
            ],
            options={"default_permissions": ()},
        ),
        migrations.CreateModel(
            name="AuditPersonal",
            fields=[
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="personal_values",
                        serialize=False,
                        to="backoffice.auditentry",
                    ),
                ),
                ("before", models.JSONField()),
                ("after", models.JSONField()),
            ],
            options={
                "verbose_name": "personal part of a change",
                "verbose_name_plural": "personal parts of changes",
                "default_permissions": ("view",),
            },
        ),
        append_only("backoffice_auditentry"),
        never_updated("backoffice_auditaddress"),
        never_updated("backoffice_auditpersonal"),
    ]
