from django.db import migrations, models

from storage.migrating import AddFieldOnce, AddIndexOnce

RIGHT, NAME = "hasten_leaving", "Can have the erasing of who has left go on at once"
BESIDE = "replay_dead_letters"
ROLES = ("operator", "administrator")
"""As of this migration; accounts/staff/roles.py has what the code knows today."""


def give(apps, schema_editor):
    """Makes the right and gives it to the groups of its roles, once, as 0005 does."""
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
        ("accounts", "0011_names_in_order"),
    ]

    operations = [
        # Nullable, so that no row is written anew, and processes of the version before can go on adding people.
        AddFieldOnce(
            model_name="user",
            name="left_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        AddFieldOnce(
            model_name="user",
            name="erased_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        AddIndexOnce(
            model_name="user",
            index=models.Index(
                condition=models.Q(("erased_at", None), ("left_at__isnull", False)),
                fields=["left_at"],
                name="people_leaving",
            ),
        ),
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
                    ("hasten_leaving", "Can have the erasing of who has left go on at once"),
                ],
            },
        ),
        migrations.RunPython(give, migrations.RunPython.noop),
    ]
