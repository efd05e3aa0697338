"""The live server: sockets only, `uvicorn config.asgi:application`. HTTP belongs to wsgi.py."""

import os
from typing import Any, cast

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
http = get_asgi_application()

from feed.live.guard import Guarded  # noqa: E402 - consumers need Django to be set up
from feed.routing import websocket_urlpatterns  # noqa: E402

websocket = Guarded(cast(Any, URLRouter(websocket_urlpatterns)))
application = ProtocolTypeRouter({"http": http, "websocket": websocket})
