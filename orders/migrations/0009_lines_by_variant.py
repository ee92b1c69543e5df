"""Drop an index that the one of 0008 serves as well."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0008_unhurried_back_office")]
    operations = [
        migrations.AlterField(
            model_name="orderline",
            name="variant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="shop.variant",
            ),
        ),
    ]
