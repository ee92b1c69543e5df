"""Keep files of products that are imported, and how far they are."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("backoffice", "0004_figures_of_days"),
    ]

    operations = [
        migrations.CreateModel(
            name="ImportRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("file_name", models.CharField(max_length=200, verbose_name="file")),
                (
                    "columns",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        help_text="As the file has them, from the left.",
                        size=None,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("checking", "being looked over"),
                            ("checked", "waits for your word"),
                            ("importing", "being imported"),
                            ("done", "imported"),
                            ("discarded", "discarded"),
                        ],
                        default="checking",
                        max_length=9,
                    ),
                ),
                ("row_count", models.PositiveIntegerField(verbose_name="rows")),
                (
                    "form_key",
                    models.UUIDField(
                        help_text="Of the form that staff sent: sent twice, it is one import.",
                        unique=True,
                    ),
                ),
                (
                    "by_user_id",
                    models.BigIntegerField(
                        help_text="Who sent it in, or began it; a plain number."
                    ),
                ),
                ("uploaded_at", models.DateTimeField(verbose_name="sent in")),
            ],
            options={
                "verbose_name": "import",
                "ordering": ["-pk"],
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["uploaded_at"], name="import_by_age")],
            },
        ),
        migrations.CreateModel(
            name="ImportRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField(help_text="As a spreadsheet counts.")),
                ("group", models.PositiveIntegerField()),
                ("sku", models.TextField(blank=True, verbose_name="SKU")),
                (
                    "cells",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        help_text="One for each of the file's columns.",
                        size=None,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("fit", "Fit"),
                            ("same", "Same"),
                            ("left out", "Left Out"),
                            ("done", "Done"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                (
                    "problems",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), default=list, size=None
                    ),
                ),
                ("changes", models.JSONField(default=list)),
                (
                    "adds",
                    models.CharField(
                        blank=True, help_text="product, variant or nothing.", max_length=7
                    ),
                ),
                (
                    "on_hand_seen",
                    models.PositiveIntegerField(
                        help_text="What its count of stock was compared with when it was looked over.",
                        null=True,
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rows",
                        to="backoffice.importrun",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["run", "state", "group"], name="import_row_by_state")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "number"), name="import_row_per_number")
                ],
            },
        ),
    ]
