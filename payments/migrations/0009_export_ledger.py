"""A right of its own to export the ledger."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("payments", "0008_refundrequest_and_means")]
    operations = [
        migrations.AlterModelOptions(
            name="ledgerentry",
            options={
                "ordering": ["pk"],
                "permissions": [("export_ledgerentry", "Can export the ledger")],
                "verbose_name_plural": "ledger entries",
            },
        ),
    ]
