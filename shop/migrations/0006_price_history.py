"""Keep what prices were."""

import django.db.models.deletion
from django.db import migrations, models

from shop.append_only import append_only

# However a price is written, by an older version or by hand, its history has it. The shop's own
# service writes the line first, with who and why, and then there is nothing to add.
_TELL = """
    CREATE FUNCTION tell_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.price_minor IS DISTINCT FROM (
            SELECT new_minor FROM shop_pricechange
             WHERE variant_id = NEW.id ORDER BY id DESC LIMIT 1
        ) THEN
            INSERT INTO shop_pricechange
                   (variant_id, old_minor, new_minor, currency, why, changed_at)
            VALUES (NEW.id, OLD.price_minor, NEW.price_minor, NEW.currency, 'in the database',
                    statement_timestamp());
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER price_history AFTER UPDATE OF price_minor ON shop_variant
        FOR EACH ROW WHEN (OLD.price_minor IS DISTINCT FROM NEW.price_minor)
        EXECUTE FUNCTION tell_price_change();
"""
_TELL_NOT = "DROP TRIGGER price_history ON shop_variant; DROP FUNCTION tell_price_change()"


class Migration(migrations.Migration):
    dependencies = [
        ("shop", "0005_low_stock"),
    ]

    operations = [
        migrations.CreateModel(
            name="PriceChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("old_minor", models.PositiveBigIntegerField()),
                ("new_minor", models.PositiveBigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "why",
                    models.CharField(
                        help_text="Where it was changed, and by what rule.", max_length=200
                    ),
                ),
                (
                    "by_user_id",
                    models.BigIntegerField(help_text="The user's id; a plain number.", null=True),
                ),
                ("changed_at", models.DateTimeField()),
                (
                    "variant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="price_changes",
                        to="shop.variant",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(fields=["variant", "-id"], name="price_change_by_variant")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("new_minor__gte", 0),
                            ("old_minor__gte", 0),
                            models.Q(("old_minor", models.F("new_minor")), _negated=True),
                        ),
                        name="price_change_is_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("currency__regex", "^[A-Z]{3}$")),
                        name="price_change_currency_is_iso",
                    ),
                ],
            },
        ),
        append_only("shop_pricechange"),
        migrations.RunSQL(_TELL, _TELL_NOT),
    ]
