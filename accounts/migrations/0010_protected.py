from django.db import migrations, models

from storage.migrating import AddFieldOnce


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0009_password_resets"),
    ]

    operations = [
        # Nullable, so that no row is written anew, and processes of the version before can go on adding people.
        AddFieldOnce(
            model_name="user",
            name="protected_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
