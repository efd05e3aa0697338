import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from storage.migrating import CreateModelOnce


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0013_addresses_and_words"),
        ("feed", "0004_leaving"),
    ]

    operations = [
        CreateModelOnce(
            name="MutedWord",
            fields=[
                ("id", models.BigIntegerField(editable=False, primary_key=True, serialize=False)),
                ("word", models.CharField(max_length=100)),
                ("key", models.CharField(max_length=400)),
                (
                    "person",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["person", "-id"], name="muted_words_by_person")],
                "constraints": [
                    models.UniqueConstraint(fields=("person", "key"), name="one_muting_of_a_word"),
                ],
            },
        ),
    ]
