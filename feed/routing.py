"""WebSocket routes."""

from typing import Any, cast

from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import path, re_path

from feed.live.consumer import FeedConsumer


class NoSuchSocket(AsyncWebsocketConsumer):
    """Refuses the handshake of any other path."""

    async def connect(self) -> None:
        await self.close()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        return


websocket_urlpatterns: list[Any] = [
    path("ws/feed", cast(Any, FeedConsumer.as_asgi())),
    re_path("", cast(Any, NoSuchSocket.as_asgi())),
]
"""Django's `path` has types for HTTP views only."""
