"""The AsyncAPI document of the live feed: what is told as the code has it, tweets as the OpenAPI document has them.

frames of the server:  the structs of told.py          → messages, by their `type`
frames of clients:     SAID, as frames.py reads them    → messages
tweets and counts:     components of the OpenAPI document
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from feed.live import told
from feed.live.frames import MAX_FRAME_CHARS, CloseCode
from feed.live.guard import AUTH_SECONDS, FRAMES_A_WINDOW, WINDOW_SECONDS

Schema = dict[str, Any]

VERSION = "3.0.0"
ADDRESS = "/ws/feed"
SHARED = {"TweetOut": "Tweet", "CountsOut": "Counts", "NotificationOut": "Notification"}
"""What the OpenAPI document calls what frames hold."""
REFERENCE = "#/components/schemas/{name}"
STREAM: Schema = {
    "type": "string",
    "pattern": "^(home|public|notifications|hashtag:.+|tweet:[1-9][0-9]{0,18})$",
    "description": "`home`: the home timeline. `public`: the public feed. `notifications`: what you are notified of. "
    "`hashtag:<tag>`: what comes under a hashtag, whatever its case and width. `tweet:<id>`: a tweet's counts and "
    "replies.",
}
SAID: dict[str, tuple[str, Mapping[str, Schema], tuple[str, ...]]] = {
    "auth": (
        "Signs in: the first frame of who sent no token with the handshake, within "
        f"{AUTH_SECONDS:.0f} seconds; the answer is `ready`.",
        {"token": {"type": "string", "description": "The token that registering or signing in answered."}},
        ("token",),
    ),
    "subscribe": (
        "Asks for a stream, from now on or from a place; the answer is `subscribed`.",
        {
            "stream": STREAM,
            "after": {
                "type": ["string", "null"],
                "description": "A cursor, of a frame or of a page: what came after it is told first, oldest first.",
            },
        },
        ("stream",),
    ),
    "unsubscribe": ("Asks for an end of a stream. Nothing answers.", {"stream": STREAM}, ("stream",)),
    "ping": ("Asks whether the server is there; the answer is `pong`.", {}, ()),
}
"""The frames of clients: what each means, its fields beside `type`, and which of them must be there."""
CODES = {
    CloseCode.SERVER_ERROR: "our failure: come back",
    CloseCode.BAD_FRAME: "a frame that cannot be read",
    CloseCode.NOT_AUTHENTICATED: "no token, or one that is not good or no longer: sign in anew",
    CloseCode.FORBIDDEN: "the account is suspended, or the page that opened the socket is of a foreign origin",
    CloseCode.AUTH_TIMEOUT: "no token came in time",
    CloseCode.TOO_MANY: "too many sockets or frames, too much asked for and not read, or too many bad tokens from one "
    "address: come back later",
}


def described_at(document: Schema, *, host: str, protocol: str) -> Schema:
    """Returns the document for a server at `host`."""
    return document | {"servers": _servers(host, protocol)}


def asyncapi_document(openapi: Schema) -> Schema:
    """Returns the document, for a server on one's own machine; `openapi` is the process's OpenAPI document."""
    schemas = _told_schemas() | {_name(kind): _said_schema(kind) for kind in SAID}
    messages = {
        name: {
            "name": schema["properties"]["type"]["const"],
            "summary": schema["description"],
            "payload": {"$ref": REFERENCE.format(name=name)},
        }
        for name, schema in schemas.items()
    }
    return {
        "asyncapi": VERSION,
        "info": {"title": "Feed, live", "version": openapi["info"]["version"], "description": _description()},
        "defaultContentType": "application/json",
        "servers": _servers("localhost:8000", "ws"),
        "channels": {"feed": _channel(messages)},
        "operations": {
            "said": _operation("receive", "What clients say.", [_name(kind) for kind in SAID]),
            "told": _operation("send", "What clients are told.", [each.__name__ for each in told_frames()]),
        },
        "components": {
            "messages": messages,
            "schemas": schemas | _shared_schemas(openapi, schemas),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "As `Authorization: Bearer <token>`; as the subprotocols `bearer, <token>`, as "
                    "browsers can; or in the first frame, `auth`. Never in the URL.",
                }
            },
        },
    }


def told_frames() -> list[type[told.Frame]]:
    """Returns every kind of frame that a client may be told, in the order of told.py."""
    return told.Frame.__subclasses__()


def _servers(host: str, protocol: str) -> Schema:
    return {"feed": {"host": host, "protocol": protocol, "security": [{"$ref": "#/components/securitySchemes/bearer"}]}}


def _channel(messages: Mapping[str, object]) -> Schema:
    return {
        "address": ADDRESS,
        "description": "Text frames, each one JSON object. Subprotocol `feed.v1`.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    }


def _operation(action: str, summary: str, names: list[str]) -> Schema:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/feed"},
        "messages": [{"$ref": f"#/channels/feed/messages/{name}"} for name in names],
    }


def _told_schemas() -> dict[str, Schema]:
    frames = told_frames()
    _, found = msgspec.json.schema_components(frames, ref_template=REFERENCE)
    return {each.__name__: _named(found[each.__name__]) for each in frames}


def _named(schema: Schema) -> Schema:
    """The schema of a frame, with the names that the OpenAPI document has; a `type` is one constant."""
    text = msgspec.json.encode(schema).decode()
    for ours, theirs in SHARED.items():
        text = text.replace(f'"{REFERENCE.format(name=ours)}"', f'"{REFERENCE.format(name=theirs)}"')
    named: Schema = msgspec.json.decode(text)
    [kind] = named["properties"]["type"]["enum"]
    named["properties"]["type"] = {"const": kind}
    return named


def _said_schema(kind: str) -> Schema:
    meaning, fields, required = SAID[kind]
    return {
        "title": _name(kind),
        "description": meaning,
        "type": "object",
        "properties": {"type": {"const": kind}, **fields},
        "required": ["type", *required],
    }


def _shared_schemas(openapi: Schema, schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """What frames refer to, and what that refers to."""
    found: dict[str, Schema] = {}
    missing = set(_referred(schemas))
    while missing:
        found |= {name: openapi["components"]["schemas"][name] for name in missing}
        missing = set(_referred(found)) - found.keys()
    return dict(sorted(found.items()))


def _referred(schemas: Mapping[str, Schema]) -> Iterator[str]:
    for match in re.finditer(r'"#/components/schemas/(\w+)"', msgspec.json.encode(schemas).decode()):
        yield match[1]


def _name(kind: str) -> str:
    """The name of a client's message, which no frame of the server's has."""
    return f"Client{kind.capitalize()}"


def _description() -> str:
    codes = "\n".join(f"- {code.value}: {meaning}" for code, meaning in CODES.items())
    return (
        "What happens in timelines while one listens. A guide stands at `/api/docs/live/`.\n\n"
        f"A client's frame has {MAX_FRAME_CHARS:,} characters at most, and {FRAMES_A_WINDOW} may come in "
        f"{WINDOW_SECONDS:.0f} seconds. A socket is closed with one of these codes, with 1009 for a message "
        f"of more than 64 KB, or with 1012 by a server that ends (come back, and resume):\n{codes}"
    )
