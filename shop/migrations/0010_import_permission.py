"""Let some of the staff import products from files."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("shop", "0009_unhurried_lists"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="product",
            options={
                "ordering": ["title", "pk"],
                "permissions": [
                    ("import_product", "Can import products, prices and stock from a file")
                ],
            },
        ),
    ]
