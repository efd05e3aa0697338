from django.db import models

from django.db import migrations
from storage.migrating import AddFieldOnce


class Migration(migrations.Migration):
    """Columns that may be null, so that processes of the version before write their rows as ever."""

    dependencies = [
        ("tweets", "0004_deletions"),
    ]

    operations = [
        AddFieldOnce(model_name="tweetrow", name="changed_op", field=models.BigIntegerField(null=True)),
        AddFieldOnce(model_name="tweetrow", name="author_deleted_op", field=models.BigIntegerField(null=True)),
    ]
