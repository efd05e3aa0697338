import gc

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.utils.module_loading import import_string


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        """Registers the handlers of orders, and what leaving erases, in every process, looks after SQL connections, and
        has traces exported if they are.

        By name: they import models, which may be imported only now, and OpenTelemetry, which may not be wanted.

        What has been imported by now stays, and is looked through for garbage no more: a pause of 90 ms, whenever.
        """
        import_string("config.orders.register_handlers")()
        import_string("config.leaving.register")()
        import_string("config.serving.sql_connections.look_after")()
        if settings.TRACES_ENDPOINT:
            import_string("config.observability.otlp.begin")()
        gc.freeze()
        gc.enable()


class DeskConfig(AdminConfig):
    """Django's admin, whose site is the desk: `admin.site` of whoever registers models is ours."""

    default_site = "feed.desk.site.DeskSite"
