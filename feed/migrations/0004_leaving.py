import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from storage.migrating import CreateModelOnce


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0012_leaving"),
        ("feed", "0003_figures"),
    ]

    operations = [
        CreateModelOnce(
            name="Leaving",
            fields=[
                (
                    "person",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="leaving",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("step", models.CharField(blank=True, default="", max_length=30)),
                ("place", models.BigIntegerField(default=0)),
                ("rounds", models.IntegerField(default=0)),
                ("erased", models.JSONField(default=dict)),
                ("traces", models.IntegerField(null=True)),
                ("moved_at", models.DateTimeField()),
                ("removed_at", models.DateTimeField(null=True)),
                ("worked_at", models.DateTimeField(null=True)),
                ("due_at", models.DateTimeField(null=True)),
                ("tries", models.IntegerField(default=0)),
                ("error", models.CharField(blank=True, default="", max_length=500)),
                ("claim", models.CharField(blank=True, default="", max_length=32)),
                ("claimed_until", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        # Only wider: a row that has a reporter is as it was, and processes of the version before write such rows.
        migrations.AlterField(
            model_name="report",
            name="reporter",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
