import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from storage.migrating import AddFieldOnce, AddIndexOnce, CreateModelOnce

KINDS = [("tweet", "Tweet"), ("person", "Person")]
VERDICTS = [
    ("dismiss", "Nothing is wrong with it"),
    ("warn", "Warn its author"),
    ("delete", "Delete the tweet"),
    ("suspend", "Suspend its author"),
]


def person(on_delete, **options):
    return models.ForeignKey(on_delete=on_delete, related_name="+", to=settings.AUTH_USER_MODEL, **options)


def key():
    return ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))


class Migration(migrations.Migration):

    dependencies = [
        ("feed", "0001_reports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateModelOnce(
            name="Decision",
            fields=[
                key(),
                ("kind", models.CharField(choices=KINDS, max_length=10)),
                ("target_id", models.BigIntegerField()),
                ("verdict", models.CharField(choices=VERDICTS, max_length=10)),
                ("note", models.CharField(max_length=2000)),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("by", person(django.db.models.deletion.DO_NOTHING, db_constraint=False)),
                ("person", person(django.db.models.deletion.DO_NOTHING, db_constraint=False)),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["person", "-id"], name="decisions_by_person")],
            },
        ),
        CreateModelOnce(
            name="Claim",
            fields=[
                key(),
                ("kind", models.CharField(choices=KINDS, max_length=10)),
                ("target_id", models.BigIntegerField()),
                ("token", models.CharField(max_length=32)),
                ("expires_at", models.DateTimeField()),
                ("by", person(django.db.models.deletion.CASCADE)),
            ],
            options={
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("kind", "target_id"), name="one_claim_of_a_target")],
            },
        ),
        AddFieldOnce(
            model_name="report",
            name="decision",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="reports",
                to="feed.decision",
            ),
        ),
        AddIndexOnce(
            model_name="report", index=models.Index(fields=["person", "-id"], name="reports_by_person")
        ),
        AddIndexOnce(
            model_name="report", index=models.Index(fields=["reporter", "-id"], name="reports_by_reporter")
        ),
        AddIndexOnce(model_name="report", index=models.Index(fields=["tweet_id"], name="reports_by_tweet")),
    ]
