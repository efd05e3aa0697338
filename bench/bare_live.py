"""The reference of the live bench: sockets that do nothing but be told, `bench.bare_live:application`.

One of them says "go", and each that is open is sent the same frame, one send after the other: what a frame costs at
least on this server, with its protocol and its event loop. Nobody is asked for a token, and nothing is looked up.
"""

import json
from contextlib import suppress
from typing import Any

FRAME = json.dumps({"type": "tweet", "stream": "home", "cursor": "c" * 43, "tweet": "t" * 700}, separators=(",", ":"))
"""As long as the product's."""
SUBSCRIBED = '{"type":"subscribed"}'

_open: list[Any] = []


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": SUBSCRIBED})
    _open.append(send)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            if message.get("text") == "go":
                for each in list(_open):
                    with suppress(Exception):  # Whoever has left keeps nobody from what is theirs.
                        await each({"type": "websocket.send", "text": FRAME})
    finally:
        _open.remove(send)
