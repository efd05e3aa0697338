import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from accounts.staff.roles import make_roles
from storage.migrating import AddFieldOnce, AddIndexOnce, CreateModelOnce

KEEP = """
CREATE OR REPLACE FUNCTION accounts_staffaction_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an entry of the log of staff is never changed or deleted';
END $$;
DROP TRIGGER IF EXISTS accounts_staffaction_stays ON accounts_staffaction;
CREATE TRIGGER accounts_staffaction_stays BEFORE UPDATE OR DELETE ON accounts_staffaction
    FOR EACH ROW EXECUTE FUNCTION accounts_staffaction_stays();
"""


def keep_entries(apps, schema_editor):
    """PostgreSQL refuses to change or delete an entry, whoever asks; SQLite's file is its owner's."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(KEEP)


def let_go(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER IF EXISTS accounts_staffaction_stays ON accounts_staffaction")


def roles(apps, schema_editor):
    if schema_editor.connection.alias == "default":
        make_roles(apps)


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0003_security_stamp"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        AddFieldOnce(
            model_name="user",
            name="suspended_until",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="user",
            name="is_staff",
            field=models.BooleanField(
                default=False, help_text="May sign in to the desk, and do there what a role allows.", verbose_name="staff"
            ),
        ),
        AddIndexOnce(
            model_name="user",
            index=models.Index(
                condition=models.Q(("suspended_until__isnull", False)),
                fields=["suspended_until"],
                name="suspensions_that_end",
            ),
        ),
        CreateModelOnce(
            name="StaffAction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("by_name", models.CharField(max_length=30, verbose_name="who")),
                ("action", models.CharField(max_length=50)),
                ("subject_kind", models.CharField(max_length=20)),
                ("subject_id", models.BigIntegerField(verbose_name="id")),
                ("about", models.BigIntegerField(null=True, verbose_name="concerns")),
                ("before", models.JSONField(default=dict)),
                ("after", models.JSONField(default=dict)),
                ("reason", models.CharField(blank=True, default="", max_length=1000)),
                ("request_id", models.CharField(blank=True, default="", max_length=128)),
                ("at", models.DateTimeField(auto_now_add=True, verbose_name="when")),
                (
                    "by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "action of staff",
                "verbose_name_plural": "log of staff",
                "default_permissions": (),
                "permissions": [
                    ("suspend_people", "Can suspend and restore people"),
                    ("verify_people", "Can mark people as verified"),
                    ("sign_out_people", "Can sign people out everywhere"),
                    ("handle_reports", "Can read and decide reports"),
                    ("view_tweets", "Can look tweets up"),
                    ("delete_tweets", "Can delete anybody's tweets"),
                    ("restore_tweets", "Can restore deleted tweets"),
                    ("view_timelines", "Can see anybody's home timeline"),
                    ("rebuild_timelines", "Can rebuild home timelines"),
                    ("view_fanout", "Can see fan-out and dead letters"),
                    ("replay_dead_letters", "Can replay dead letters"),
                    ("drop_dead_letters", "Can drop dead letters"),
                    ("view_staff_log", "Can read the log of staff"),
                ],
                "indexes": [
                    models.Index(fields=["subject_kind", "subject_id", "-id"], name="staff_log_by_subject"),
                    models.Index(fields=["by", "-id"], name="staff_log_by_person"),
                ],
            },
        ),
        migrations.RunPython(keep_entries, let_go),
        migrations.RunPython(roles, migrations.RunPython.noop),
    ]
