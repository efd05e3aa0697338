from django.db import migrations, models

from storage.migrating import CreateModelOnce


class Migration(migrations.Migration):

    dependencies = [("accounts", "0008_sessions")]

    operations = [
        CreateModelOnce(
            name="PasswordReset",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("email", models.CharField(max_length=254)),
                ("asked_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(db_index=True)),
            ],
            options={"default_permissions": ()},
        ),
    ]
