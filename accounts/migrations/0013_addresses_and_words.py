from django.db import migrations, models

from storage.migrating import AddFieldOnce, AddIndexOnce, CreateModelOnce


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
            name="confirmed_email",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=254),
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
                ("refusals", models.SmallIntegerField(db_default=0, default=0)),
                ("user_id", models.BigIntegerField(db_index=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("confirm", "Confirm"), ("changed", "Changed"), ("let_go", "Let Go")], max_length=10
                    ),
                ),
            ],
            options={
                "abstract": False,
                "default_permissions": (),
                "indexes": [models.Index(fields=["asked_at"], name="addressletter_asked")],
            },
        ),
        AddFieldOnce(
            model_name="passwordreset",
            name="refusals",
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        AddIndexOnce(
            model_name="passwordreset",
            index=models.Index(fields=["asked_at"], name="passwordreset_asked"),
        ),
    ]
