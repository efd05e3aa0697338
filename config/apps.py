from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.module_loading import import_string


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        """Registers the handlers of orders in every process.

        By name: they import models, which may be imported only now.
        """
        import_string("config.orders.register_handlers")()


class DeskConfig(AdminConfig):
    """Django's admin, whose site is the desk: `admin.site` of whoever registers models is ours."""

    default_site = "feed.desk.site.DeskSite"
