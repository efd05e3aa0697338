from django.db import migrations

RIGHT, NAME = "restore_tweets", "Can restore deleted tweets"
BESIDE = "delete_tweets"
ROLES = ("moderator", "administrator")
"""As of this migration; accounts/staff/roles.py has what the code knows today."""


def give(apps, schema_editor):
    """Makes the right and gives it to the groups of its roles, once: what was taken from one since stays taken.

    Not to a group that only has a role's name: those of roles may delete tweets since they were made.
    """
    if schema_editor.connection.alias != "default":
        return
    owner, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="accounts", model="staffaction"
    )
    permission, made = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=owner, codename=RIGHT, defaults={"name": NAME}
    )
    if made:
        holding = {"permissions__content_type": owner, "permissions__codename": BESIDE}
        for group in apps.get_model("auth", "Group").objects.filter(name__in=ROLES, **holding):
            group.permissions.add(permission)


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0004_staff"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="staffaction",
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
            },
        ),
        migrations.RunPython(give, migrations.RunPython.noop),
    ]
