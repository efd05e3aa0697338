from django.db import migrations, models

from storage.migrating import CreateModelOnce


class Migration(migrations.Migration):
    """A table that processes of the version before do not know: what they write is in no list of a hashtag."""

    dependencies = [
        ("tweets", "0005_restored"),
    ]

    operations = [
        CreateModelOnce(
            name="HashtagRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tag", models.TextField()),
                ("tweet", models.BigIntegerField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tag", "tweet"), name="tweets_by_hashtag")],
            },
        ),
    ]
