from django.db import migrations, models
from django.db.models.functions import Lower

from accounts.sql import ByCodePoint
from storage.migrating import AddIndexOnce, RemoveIndexOnce


class Migration(migrations.Migration):
    """People of one display name stand in the index by id, so that a page of them goes on where the last one ended."""

    dependencies = [("accounts", "0009_password_resets")]

    operations = [
        AddIndexOnce(
            model_name="user",
            index=models.Index(ByCodePoint(Lower("display_name")), "id", name="people_by_display_name_id"),
        ),
        RemoveIndexOnce(model_name="user", name="people_by_display_name"),
    ]
