"""One subscription of a socket: what its document may ask for, and how each event becomes an answer to it.

Each has a queue, a pump and a stream of its own, so that several of one topic do not disturb each other and whatever
ends one leaves the others be. An event was hydrated by the stream, once; the document is executed with it as its root,
in a thread, which reads what the selection wants besides, as over HTTP.

What a socket keeps is bounded: how many subscriptions, how many of one topic, the tokens of all their documents
together, each text counted once, and the variables of each.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from io import BytesIO

import msgspec
import structlog
from graphql import FragmentDefinitionNode, GraphQLError
from graphql.execution.collect_fields import collect_fields
from graphql.execution.values import get_argument_values
from rest_framework.exceptions import ParseError

from accounts.doors.graphql_context import GraphQLContext
from accounts.entities import Viewer
from config.graphql.answers import answered, refusals
from config.graphql.bounds import ORDINARY_PAGE, Size
from config.graphql.documents import Invalid
from config.graphql.events import WANTED, Wanted, event_of
from config.graphql.messages import Completed, Next, Refused, ServerMessage, encode
from config.graphql.persisted import register
from config.graphql.requests import Prepared, prepared
from config.graphql.scanning import MAX_TOKENS, TooMuch, count_tokens
from config.graphql.schema import schema
from config.graphql.variables import GraphQLParser
from feed.doors.graphql_live import EventOut
from feed.live.frames import BadFrame
from feed.live.listener import listener
from feed.live.queues import LiveQueue
from feed.live.quota import count_more, quota
from feed.live.registry import registry
from feed.live.streams.stream import READER, Signal, Stream, Topic
from feed.live.streams.table import make_stream
from feed.live.subscriptions import Subscriptions
from feed.live.threads import PAGE_THREADS, reading
from feed.live.told import Failed, Frame, Subscribed
from feed.live.turns import Turns
from storage.errors import BadRequest, ServiceError
from storage.web.paging import decode_settled

SUBSCRIPTIONS_A_SOCKET = 20
"""A page of tweets whose counts are followed, say."""
OF_ONE_TOPIC = 3
"""Two parts of a page that ask for the same; each executes what comes."""
TOKENS_A_SOCKET = MAX_TOKENS
"""Of all documents: half a megabyte of memory at most."""
MAX_VARIABLES_BYTES = 2_048
"""A cursor has forty."""
BEGIN_SECONDS = 2.0
"""How long a `ping` waits for what was asked for before it: clients take a socket that answers much later for dead."""
EVENTS_AT_A_TIME = PAGE_THREADS // 2
"""Of all readers; of each, one: however many sockets somebody has, theirs take one thread."""

log = structlog.get_logger(__name__)
turns = Turns(EVENTS_AT_A_TIME)


class Asked(msgspec.Struct, frozen=True, eq=False):
    """What a `subscribe` asks for, which is possible."""

    request: Prepared
    wanted: Wanted
    after: int | None
    """The place to replay from, None for only what is new."""
    tokens: int
    """Of the document."""


def asked_in(payload: msgspec.Raw, reader_id: int, address: str) -> Asked:
    """Returns what a reader's `subscribe` asks for; a document that came with its hash is kept, as over HTTP.

    Raises `Invalid`, `BadRequest`, `BadFrame` for what is no object, and `OverQuota`.

    Costs what a document costs over HTTP: call it in a thread.
    """
    if bytes(payload)[:1] != b"{":
        raise BadFrame
    try:
        given = GraphQLParser().parse(BytesIO(payload))
    except ParseError as error:
        raise BadRequest("The payload is not valid JSON, or names a key twice.", code="parse_error") from error
    request = prepared(given, subscription=True, count_more=lambda amount: count_more(reader_id, amount))
    if request.size.requests > 1:
        message = f"An event could hold {request.size.total} values; {ORDINARY_PAGE} are allowed: ask for less of it."
        raise Invalid([TooMuch(message, request.operation)])
    if len(msgspec.json.encode(request.variables)) > MAX_VARIABLES_BYTES:
        raise BadRequest(f"Variables of a subscription have {MAX_VARIABLES_BYTES} bytes at most.", code="bad_variables")
    wanted = _wanted(request)
    after = decode_settled(wanted.after) if wanted.after is not None else None
    register(given.get("query"), given.get("extensions"), request.document, address)
    return Asked(request, wanted, after, count_tokens(request.document.text))


def _wanted(request: Prepared) -> Wanted:
    """Returns the stream of the only field that the specification lets a subscription have."""
    fragments = {
        each.name.value: each for each in request.document.node.definitions if isinstance(each, FragmentDefinitionNode)
    }
    known, root = schema.graphql_schema, schema.graphql_schema.subscription_type
    assert root is not None  # noqa: S101 - there is one in the schema
    fields = collect_fields(known, fragments, dict(request.coerced), root, request.operation.selection_set)
    for [field, *_] in fields.values():
        name = field.name.value
        return WANTED[name](get_argument_values(root.fields[name], field, dict(request.coerced)))
    raise Invalid([GraphQLError("Nothing is selected.", request.operation, extensions={"code": "bad_query"})])


class Subscriber:
    """A subscription, from `begin` to `end`; one that ends by itself calls `over`, and tells the client so."""

    def __init__(
        self,
        subscriber_id: str,
        asked: Asked,
        viewer: Viewer,
        send: Callable[[str], Awaitable[None]],
        over: Callable[[str], None],
    ) -> None:
        self.queue = LiveQueue()
        self.asked = asked
        self._id = subscriber_id
        self._viewer = viewer
        self._send = send
        self._over = over
        self._stream: Stream | None = make_stream(asked.wanted.stream, viewer, self._tell)
        """None once it has ended, since it keeps whom it tells."""
        self.topic = self._stream.topic
        self._of_reader = Topic(READER, viewer.id)
        """What concerns every stream of the reader's comes into each queue by itself."""
        self._subscriptions = Subscriptions(self.queue, self._tell)
        self._begun = False
        self._settled = asyncio.Event()
        """It has begun, or is over."""
        self._until = time.monotonic() + BEGIN_SECONDS
        self._replaying = True
        self._uncounted = 0
        """Of what was replayed: less than a request."""
        self._ended = False

    async def begin(self) -> None:
        """Listens; what is published from then on is told."""
        await listener.listen_to(self.topic)
        if self._stream is not None:
            registry.add(self._of_reader, self.queue)
            self._subscriptions.subscribe(self._stream, self.asked.after)
            self.queue.pump(self._pumped)

    async def settled(self) -> None:
        """Returns once it is in force, or over; BEGIN_SECONDS after it was asked for in any case."""
        left = self._until - time.monotonic()
        if left > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._settled.wait()

    def end(self) -> None:
        """Forgets it; nothing more is told. Idempotent."""
        self._ended = True
        self._stream = None
        registry.remove(self._of_reader, self.queue)
        self._settled.set()
        self._subscriptions.end()
        self.queue.forget()

    async def _pumped(self, signal: Signal) -> None:
        try:
            await self._subscriptions.tell(signal)
            self._replaying = not self._begun
            if not self._goes_on:
                await self._be_over(Completed(self._id))
        except OSError:
            self.end()  # the client is gone
        except (Invalid, ServiceError) as error:
            await self._refuse(error)
        except Exception as error:
            log.exception("graphql_subscription_failed")
            await self._refuse(error)

    @property
    def _goes_on(self) -> bool:
        """Whether its stream has not ended by itself."""
        return self._subscriptions.has(self.topic)

    async def _refuse(self, error: Exception) -> None:
        await self._be_over(Refused(self._id, refusals(error)))

    async def _be_over(self, last: ServerMessage) -> None:
        """Ends it with the message; the id may be used again when the client hears of it."""
        if self._ended:
            return
        self._over(self._id)
        with contextlib.suppress(OSError):
            await self._send(encode(last))

    async def _tell(self, frame: Frame) -> None:
        """Tells the client what a stream says. A backend that is down later is no news: the stream catches up.

        Raises `Invalid` for a stream that could not be begun, or whose tweet was gone by then, and `OverQuota`.
        """
        if isinstance(frame, Subscribed):
            self._begun = True
            self._settled.set()
        elif isinstance(frame, Failed) and not (self._begun and self._goes_on):
            raise Invalid([GraphQLError(frame.detail, extensions={"code": frame.code})])
        event = event_of(frame)
        if event is not None:
            await self._send(await self._answer(event))

    async def _answer(self, event: EventOut) -> str:
        """Executes the document for an event, in its turn."""
        if event.tweet is not None:
            await self._count(self.asked.request.size)
        step = partial(reading, _answer, self._id, self.asked.request, self._viewer, event)
        return await turns.take(self._viewer.id, step)

    async def _count(self, size: Size) -> None:
        """Counts what HTTP would: a request for a page that is opened, and for what is replayed as it adds up.

        What is new, and opens none, is not counted: nobody has asked for it now. Raises `OverQuota`.
        """
        self._uncounted += size.total if self._replaying else 0
        if size.pages or self._uncounted >= ORDINARY_PAGE:
            self._uncounted = 0
            await quota.count(self._viewer.id)


def _answer(subscriber_id: str, request: Prepared, viewer: Viewer, event: EventOut) -> str:
    context = GraphQLContext(viewer, most_values=request.size.most_values)
    return encode(Next(subscriber_id, answered(request, context, root=event).body))


def check_room(subscriber: Subscriber, others: Collection[Subscriber]) -> None:
    """Raises `BadRequest` for a subscription that is one too many beside the others of its socket."""
    if len(others) >= SUBSCRIPTIONS_A_SOCKET:
        raise _no_room(f"A socket has {SUBSCRIPTIONS_A_SOCKET} subscriptions at most")
    if sum(each.topic == subscriber.topic for each in others) >= OF_ONE_TOPIC:
        raise _no_room(f"A socket has {OF_ONE_TOPIC} subscriptions of the same at most")
    asked = {each.asked.request.document: each.asked.tokens for each in (*others, subscriber)}
    if sum(asked.values()) > TOKENS_A_SOCKET:
        raise _no_room(f"The documents of a socket's subscriptions have {TOKENS_A_SOCKET} tokens at most")


def _no_room(why: str) -> BadRequest:
    return BadRequest(f"{why}: complete another one first.", code="too_many_subscriptions")
