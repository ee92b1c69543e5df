from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0004_move_stock_permission")]
    operations = [
        migrations.AddField(
            model_name="variant",
            name="low_stock_at",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="So few free units are low. Empty: as few as for all others. 0: never low.",
                null=True,
                verbose_name="low stock at",
            ),
        ),
        migrations.CreateModel(
            name="LowStockMail",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False)),
                ("sent_at", models.DateTimeField(null=True)),
            ],
        ),
    ]
