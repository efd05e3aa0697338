import django.db.models.deletion
from django.db import migrations, models

from storage.migrating import CreateModelOnce


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0007_names_found"),
        ("knox", "0009_extend_authtoken_field"),
    ]

    operations = [
        CreateModelOnce(
            name="TokenUse",
            fields=[
                (
                    "token",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="use",
                        serialize=False,
                        to="knox.authtoken",
                    ),
                ),
                ("user_id", models.BigIntegerField(db_index=True)),
                ("client", models.CharField(blank=True, default="", max_length=60)),
                ("last_used_at", models.DateTimeField()),
            ],
            options={"default_permissions": ()},
        ),
    ]
