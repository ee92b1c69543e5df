"""Rights of their own to export and to erase what is known of a person."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("export_user", "Can export what is known of a person"),
                    ("erase_user", "Can erase what is known of a person"),
                ]
            },
        ),
    ]
