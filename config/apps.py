from django.apps import AppConfig
from django.utils.module_loading import import_string


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        """Registers the handlers of orders in every process.

        By name: they import models, which may be imported only now.
        """
        import_string("config.orders.register_handlers")()
