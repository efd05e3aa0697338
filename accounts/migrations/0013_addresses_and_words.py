from django.db import migrations, models

from storage.migrating import AddFieldOnce, CreateModelOnce


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0012_leaving"),
    ]

    operations = [
        # Nullable, or with a default of the database's own, so that no row is written anew, and processes of the
        # version before can go on adding people.
        AddFieldOnce(
            model_name="user",
            name="email_confirmed_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        AddFieldOnce(
            model_name="user",
            name="muted_words_version",
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
        CreateModelOnce(
            name="AddressLetter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("email", models.CharField(max_length=254)),
                ("asked_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(db_index=True)),
                ("user_id", models.BigIntegerField(db_index=True)),
                ("kind", models.CharField(choices=[("confirm", "Confirm"), ("changed", "Changed")], max_length=10)),
            ],
            options={"default_permissions": ()},
        ),
    ]
