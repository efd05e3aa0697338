"""WebSocket routes."""

from collections.abc import Mapping
from typing import cast

from channels.generic.websocket import AsyncWebsocketConsumer

from feed.live.consumer import FeedConsumer
from feed.live.guard import Application


class NoSuchSocket(AsyncWebsocketConsumer):
    """Refuses the handshake of any other path."""

    async def connect(self) -> None:
        await self.close()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        return


sockets: Mapping[str, Application] = {"/ws/feed": FeedConsumer.serve}
"""By path."""
REFUSED = cast(Application, NoSuchSocket.as_asgi())
"""Of any other."""
