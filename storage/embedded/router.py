"""Sends embedded models to alias `store` and only there.

With STORE=cassandra there is no such alias: embedded models then have tables nowhere. A replica has the tables of its
primary, and is never migrated.
"""

from django.apps import apps
from django.db.models import Model

from storage.embedded.base import ALIAS
from storage.models import EmbeddedModel

REPLICA = "replica"


class StoreRouter:
    """A router: a model is embedded when it derives from `EmbeddedModel`; an app may have models of both sorts."""

    def db_for_read(self, model: type[Model], **hints: object) -> str | None:
        return ALIAS if issubclass(model, EmbeddedModel) else None

    def db_for_write(self, model: type[Model], **hints: object) -> str | None:
        return ALIAS if issubclass(model, EmbeddedModel) else None

    def allow_relation(self, one: Model, other: Model, **hints: object) -> bool:
        return isinstance(one, EmbeddedModel) is isinstance(other, EmbeddedModel)

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: object) -> bool:
        return db != REPLICA and _is_embedded(app_label, model_name) is (db == ALIAS)


def _is_embedded(app_label: str, model_name: str | None) -> bool:
    """Returns what the code's model says: those in a migration have lost their base class.

    A data migration names no model and a dropped one is in no code: those go where their app's
    other models are.
    """
    of_app = {model._meta.model_name: issubclass(model, EmbeddedModel) for model in apps.all_models[app_label].values()}
    return of_app.get(model_name, any(of_app.values()))
