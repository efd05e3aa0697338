from django.db import migrations, models


class AddColumnOnce(migrations.AddField):
    """Adds the column where it is not there yet: what was applied without being noted may be applied again.

    With a constant default of the database's own, PostgreSQL (from 11 on) writes it into its catalogue and no row
    anew; and processes of the version before, which do not name the column, can go on adding people.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        connection = schema_editor.connection
        if not self.allow_migrate_model(connection.alias, model):
            return
        with connection.cursor() as cursor:
            columns = connection.introspection.get_table_description(cursor, model._meta.db_table)
        if self.name not in {column.name for column in columns}:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_as_shown'),
    ]

    operations = [
        AddColumnOnce(
            model_name='user',
            name='security_stamp',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=32),
        ),
    ]
