"""The GraphQL door for sockets, `/graphql` as a WebSocket: `graphql-transport-ws` over the live feed's own machinery.

    subscribe → prepared as over HTTP (requests.py) → a stream (feed/live/streams) → event → selection → next

Only subscriptions are executed here; the token comes in `connection_init` or in the handshake's header.
"""

import secrets

import structlog
from msgspec import UNSET
from structlog.contextvars import bound_contextvars

from accounts.entities import Viewer
from config.graphql.answers import refusals
from config.graphql.documents import Invalid
from config.graphql.messages import (
    PROTOCOL,
    Acknowledged,
    ClientMessage,
    EndCode,
    Pong,
    Refused,
    ServerMessage,
    decode,
    encode,
    object_in,
)
from config.graphql.subscribers import Subscriber, asked_in, check_room
from feed.live.frames import BadFrame, CloseCode
from feed.live.queues import TokenQueue
from feed.live.quota import quota
from feed.live.socket import NOBODYS, LiveConsumer, token_in
from feed.live.threads import reading
from storage.errors import ServiceError, Unavailable
from storage.web.client_address import scope_address

log = structlog.get_logger(__name__)


class GraphQLConsumer(LiveConsumer):
    """One socket, and the subscriptions that its client has, by the ids that it gave them."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._queue = TokenQueue(self.look_at_token)
        """Each subscription has a queue of its own (subscribers.py)."""
        self._initialised = False
        self._subscribers: dict[str, Subscriber] = {}

    def protocol(self, offered: list[str]) -> str | None:
        return PROTOCOL if PROTOCOL in offered else None

    async def connected(self, offered: list[str]) -> None:
        if PROTOCOL not in offered:
            await self._end(EndCode.NO_PROTOCOL)

    async def handle(self, text: str | None) -> None:
        message = decode(text)
        match message.type:
            case "connection_init":
                await self._initialise(object_in(message.payload))
            case "ping":
                await self._pong(object_in(message.payload))
            case "pong":
                pass
            case "subscribe" if message.id:
                await self._subscribe(message)
            case "complete" if message.id:
                self._complete(message.id)
            case _:
                raise BadFrame

    async def signed_in(self, viewer: Viewer) -> None:
        await self._write(Acknowledged())

    async def unavailable(self, error: Unavailable) -> None:
        """Who is not signed in is to come again; who is hears nothing, as the protocol has no word for it."""
        if self._viewer is None:
            await self._end(EndCode.TRY_AGAIN)

    def end_streams(self) -> None:
        for subscriber in self._subscribers.values():
            subscriber.end()
        self._subscribers = {}

    async def _write(self, message: ServerMessage) -> None:
        await self.send(encode(message))

    async def _initialise(self, payload: dict[str, object]) -> None:
        if self._initialised:
            await self._end(CloseCode.TOO_MANY)
            return
        self._initialised = True
        token = _token_of(payload)
        if token is None:
            token = self._header_token()
        if token is None:
            await self._end(CloseCode.NOT_AUTHENTICATED)
            return
        await self._sign_in(token)

    async def _pong(self, payload: dict[str, object]) -> None:
        """Answers a ping, behind which what was asked for before it is in force (subscribers.py says how surely)."""
        for subscriber in list(self._subscribers.values()):
            await subscriber.settled()
        if not self._ended:
            await self._write(Pong(payload or UNSET))

    async def _subscribe(self, message: ClientMessage) -> None:
        if self._viewer is None:
            await self._end(CloseCode.NOT_AUTHENTICATED)
        elif message.id in self._subscribers:
            await self._end(EndCode.ID_TAKEN)
        else:
            with bound_contextvars(request_id=secrets.token_hex(16)):
                await self._begin(message, self._viewer)

    async def _begin(self, message: ClientMessage, viewer: Viewer) -> None:
        try:
            await quota.count(viewer.id)
            asked = await reading(asked_in, message.payload, viewer.id, scope_address(self.scope))
            subscriber = Subscriber(message.id, asked, viewer, self.send, self._complete)
            check_room(subscriber, self._subscribers.values())
        except (Invalid, ServiceError) as error:
            await self._write(Refused(message.id, refusals(error)))
            return
        except BadFrame:
            raise
        except Exception as error:
            log.exception("graphql_subscribe_failed")
            await self._write(Refused(message.id, refusals(error)))
            return
        if not self._ended:
            self._subscribers[message.id] = subscriber
            await subscriber.begin()

    def _complete(self, subscriber_id: str) -> None:
        """Ends a subscription, if there is one of that id."""
        subscriber = self._subscribers.pop(subscriber_id, None)
        if subscriber is not None:
            subscriber.end()


def _token_of(payload: dict[str, object]) -> str | None:
    """Returns the token that `connection_init` carries: NOBODYS where none can be found in it, None without one."""
    for name, value in payload.items():
        if name.lower() == "authorization":
            return token_in(value) if isinstance(value, str) else NOBODYS
    return None
