"""WebSocket routes."""

from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import path, re_path

from feed.live.consumer import FeedConsumer


class NoSuchSocket(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """Refuses the handshake of any other path."""

    async def connect(self) -> None:
        await self.close()

    async def receive(self, **_content: Any) -> None:
        return


websocket_urlpatterns = [path("ws/feed", FeedConsumer.as_asgi()), re_path("", NoSuchSocket.as_asgi())]
