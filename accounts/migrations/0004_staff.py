import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from storage.migrating import AddFieldOnce, AddIndexOnce, CreateModelOnce

KEEP = """
CREATE OR REPLACE FUNCTION accounts_staffaction_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an entry of the log of staff is never changed or deleted';
END $$;
DROP TRIGGER IF EXISTS accounts_staffaction_stays ON accounts_staffaction;
CREATE TRIGGER accounts_staffaction_stays BEFORE UPDATE OR DELETE ON accounts_staffaction
    FOR EACH ROW EXECUTE FUNCTION accounts_staffaction_stays();
DROP TRIGGER IF EXISTS accounts_staffaction_is_not_emptied ON accounts_staffaction;
CREATE TRIGGER accounts_staffaction_is_not_emptied BEFORE TRUNCATE ON accounts_staffaction
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_staffaction_stays();
"""


def keep_entries(apps, schema_editor):
    """PostgreSQL refuses to change or delete an entry, whoever asks; SQLite's file is its owner's."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(KEEP)


def let_go(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for trigger in ("accounts_staffaction_stays", "accounts_staffaction_is_not_emptied"):
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {trigger} ON accounts_staffaction")


ROLES = {
    "viewer": {"view_user", "view_tweets", "view_fanout"},
    "moderator": {
        "view_user",
        "suspend_people",
        "verify_people",
        "sign_out_people",
        "handle_reports",
        "view_tweets",
        "delete_tweets",
        "view_fanout",
    },
    "operator": {
        "view_user",
        "view_tweets",
        "view_timelines",
        "rebuild_timelines",
        "view_fanout",
        "replay_dead_letters",
        "drop_dead_letters",
        "view_staff_log",
    },
}
ROLES["administrator"] = ROLES["moderator"] | ROLES["operator"] | {"change_user", "add_user"}
"""As of this migration; accounts/staff/roles.py has what the code knows today."""
TOOK_BEFORE = {
    "handle_reports": ("feed", "change_report"),
    "suspend_people": ("accounts", "change_user"),
    "verify_people": ("accounts", "change_user"),
    "sign_out_people": ("accounts", "change_user"),
}
"""Rights of their own now, by the permission of Django's that they came with before."""


def roles(apps, schema_editor):
    """Makes rights and groups; touches no group that was there, but gives holders of TOOK_BEFORE what they could do."""
    if schema_editor.connection.alias != "default":
        return
    names = dict(apps.get_model("accounts", "StaffAction")._meta.permissions)
    rights = {right: _right(apps, right, names) for right in sorted(ROLES["administrator"])}
    for right, before in TOOK_BEFORE.items():
        permission, made = rights[right]
        if made:
            _give(apps, permission, before)
    if rights["suspend_people"][1]:  # the list leads to people's pages now, which are to be looked at
        _give(apps, rights["view_user"][0], ("accounts", "change_user"))
    if rights["delete_tweets"][1]:  # which all of staff could
        for person in apps.get_model("accounts", "User").objects.filter(is_staff=True, is_superuser=False):
            person.user_permissions.add(rights["delete_tweets"][0])
    for role, held in ROLES.items():
        group, made = apps.get_model("auth", "Group").objects.get_or_create(name=role)
        if made:
            group.permissions.set([rights[right][0] for right in held])


def _give(apps, permission, before):
    """Gives it to people and groups who hold the other one."""
    app, codename = before
    holding = {"permissions__content_type__app_label": app, "permissions__codename": codename}
    for group in apps.get_model("auth", "Group").objects.filter(**holding):
        group.permissions.add(permission)
    holding = {f"user_{path}": value for path, value in holding.items()}
    for person in apps.get_model("accounts", "User").objects.filter(**holding):
        person.user_permissions.add(permission)


def _right(apps, right, names):
    """The permission, and whether it was made here: Django makes them only when all migrations have run."""
    model = "staffaction" if right in names else "user"
    owner, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label="accounts", model=model)
    name = names.get(right, f"Can {right.replace('_user', ' person')}")
    return apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=owner, codename=right, defaults={"name": name}
    )


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
        *(
            AddIndexOnce(model_name="user", index=models.Index(condition=condition, fields=["-id"], name=name))
            for name, condition in (
                ("people_suspended", models.Q(("suspended_at__isnull", False))),
                ("people_of_staff", models.Q(("is_staff", True))),
                ("people_verified", models.Q(("verified", True))),
            )
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
                    models.Index(fields=["subject_kind", "-id"], name="staff_log_by_kind"),
                    models.Index(fields=["action", "-id"], name="staff_log_by_action"),
                    models.Index(fields=["request_id"], name="staff_log_by_request"),
                ],
            },
        ),
        migrations.RunPython(keep_entries, let_go),
        migrations.RunPython(roles, migrations.RunPython.noop),
    ]
