from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0003_movement_form_key")]
    operations = [
        migrations.AlterModelOptions(
            name="variant",
            options={
                "ordering": ["position", "pk"],
                "permissions": [("move_stock", "Can move stock")],
            },
        ),
    ]
