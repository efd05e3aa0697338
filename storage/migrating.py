"""Operations for migrations that may be applied again: what was applied without being noted does no harm."""

from typing import Any

from django.db import migrations


class Once:
    """Mixed in before an operation of Django's, which is left out where its work `is_there` already."""

    def is_there(self, connection: Any, model: Any) -> bool:
        """Returns whether the database has what the operation makes of the model."""
        raise NotImplementedError

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        operation: Any = self
        model = to_state.apps.get_model(app_label, getattr(operation, "model_name", None) or operation.name)
        connection = schema_editor.connection
        if operation.allow_migrate_model(connection.alias, model) and not self.is_there(connection, model):
            parent: Any = super()
            parent.database_forwards(app_label, schema_editor, from_state, to_state)


class CreateModelOnce(Once, migrations.CreateModel):
    """Makes the table unless it is there."""

    def is_there(self, connection: Any, model: Any) -> bool:
        return model._meta.db_table in connection.introspection.table_names()


class AddFieldOnce(Once, migrations.AddField):
    """Adds the column unless it is there."""

    def is_there(self, connection: Any, model: Any) -> bool:
        with connection.cursor() as cursor:
            columns = connection.introspection.get_table_description(cursor, model._meta.db_table)
        return model._meta.get_field(self.name).column in {column.name for column in columns}


class AddIndexOnce(Once, migrations.AddIndex):
    """Makes the index unless one of its name is there."""

    def is_there(self, connection: Any, model: Any) -> bool:
        with connection.cursor() as cursor:
            return self.index.name in connection.introspection.get_constraints(cursor, model._meta.db_table)


class RemoveIndexOnce(migrations.RemoveIndex):
    """Removes the index if it is there."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Does as Django's own, whose operation it is."""
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        with schema_editor.connection.cursor() as cursor:
            standing = schema_editor.connection.introspection.get_constraints(cursor, table)
        if self.name in standing:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
