"""Let staff set failed events aside."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_unhurried")]
    operations = [
        migrations.AddField(
            model_name="inboxevent",
            name="set_aside_why",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="Why a person had it ignored, as no retry would mend it.",
                max_length=200,
            ),
        ),
    ]
