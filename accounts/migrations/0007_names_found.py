from django.db import migrations, models
from django.db.models.functions import Lower

from accounts.sql import ByCodePoint
from storage.migrating import AddIndexOnce


class Migration(migrations.Migration):

    dependencies = [("accounts", "0006_account_changes")]

    operations = [
        AddIndexOnce(model_name="user", index=models.Index(ByCodePoint(Lower(field)), name=f"people_by_{field}"))
        for field in ("username", "display_name")
    ]
