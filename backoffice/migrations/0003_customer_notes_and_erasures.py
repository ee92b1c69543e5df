"""What staff note of customers, and that somebody was erased."""

import django.contrib.postgres.fields
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("backoffice", "0002_watch_what_staff_change"),
    ]

    operations = [
        migrations.CreateModel(
            name="CustomerNote",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "email",
                    models.EmailField(
                        help_text="In lower case.", max_length=254, verbose_name="e-mail address"
                    ),
                ),
                ("text", models.TextField(max_length=2000)),
                ("by_user_id", models.BigIntegerField(help_text="The user's id; a plain number.")),
                (
                    "form_key",
                    models.UUIDField(
                        help_text="Of the form that staff sent: sent twice, it is one note.",
                        unique=True,
                    ),
                ),
                ("written_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-pk"],
                "default_permissions": ("add", "view"),
                "indexes": [models.Index(fields=["email", "-id"], name="customer_note_by_email")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("email", django.db.models.functions.text.Lower("email"))
                        ),
                        name="customer_note_email_is_lower",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "user_id",
                    models.BigIntegerField(
                        help_text="Of the account; null for a guest.", null=True
                    ),
                ),
                (
                    "erased_as",
                    models.EmailField(
                        help_text="What stands where the e-mail address stood.", max_length=254
                    ),
                ),
                (
                    "order_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), help_text="Plain numbers.", size=None
                    ),
                ),
                (
                    "inbox_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        help_text="Events that belong to no order.",
                        size=None,
                    ),
                ),
                (
                    "why",
                    models.CharField(
                        choices=[
                            ("request", "the person asked for it"),
                            ("order", "an authority or a court ordered it"),
                            ("age", "kept for as long as it had to be"),
                            ("test", "it was a test, or a mistake"),
                        ],
                        max_length=8,
                    ),
                ),
                ("by_user_id", models.BigIntegerField(help_text="The user's id; a plain number.")),
                (
                    "form_key",
                    models.UUIDField(
                        help_text="Of the form that staff sent: sent twice, it erases once.",
                        unique=True,
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-pk"],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("finished_at", None)),
                        fields=["asked_at"],
                        name="erasure_unfinished",
                    )
                ],
            },
        ),
    ]
