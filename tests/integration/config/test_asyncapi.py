"""The AsyncAPI document: the committed one is today's, and what it says clients may say is understood.

That frames are as it describes them, every test that hears one sees (tests/integration/feed/sockets.py).
"""

import asyncio
from typing import Any

import msgspec
import pytest
from django.core.management import call_command
from django.test import Client

from config.http.asyncapi import CODES, SAID, told_frames
from feed.live.frames import CloseCode
from feed.live.threads import housekeeping
from tests.documented import live_document
from tests.integration.feed.sockets import Socket
from tests.integration.speaking import on_one_store
from tests.people import new_person


def resolved(reference: str) -> Any:
    found: Any = live_document()
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [each for value in node.values() for each in references(value)]
    return [each for value in node for each in references(value)] if isinstance(node, list) else []


def test_the_committed_document_is_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("asyncapi")
    assert msgspec.json.decode(capsys.readouterr().out) == live_document(), "run `make asyncapi`"


def test_it_is_served_for_the_host_that_is_asked() -> None:
    answer = Client().get("/api/v1/asyncapi.json", headers={"Host": "localhost:4567"}, secure=True)
    assert answer.status_code == 200
    served = answer.json()
    assert (served["servers"]["feed"].pop("host"), served["servers"]["feed"].pop("protocol")) == (
        "localhost:4567",
        "wss",
    )
    assert served["servers"]["feed"].items() <= live_document()["servers"]["feed"].items()
    assert served | {"servers": None} == live_document() | {"servers": None}


def test_every_reference_leads_somewhere_and_everything_is_described() -> None:
    found = references(live_document())
    assert len(found) > 20
    assert all(resolved(each) for each in found)
    schemas = live_document()["components"]["schemas"]
    assert all(schemas[each.__name__]["description"] for each in told_frames())


def test_every_code_that_a_socket_is_closed_with_is_explained() -> None:
    assert CODES.keys() == set(CloseCode)
    assert all(f"- {code.value}: " in live_document()["info"]["description"] for code in CloseCode)


@on_one_store
@pytest.mark.usefixtures("product")
def test_what_clients_may_say_is_understood() -> None:
    person = new_person()

    async def scenario() -> None:
        socket = await housekeeping(Socket, person)
        await socket.open()
        for kind in SAID.keys() - {"auth"}:
            described = live_document()["components"]["schemas"][f"Client{kind.capitalize()}"]
            assert described["properties"]["type"] == {"const": kind}
            given = {name: "home" for name in described["required"] if name != "type"}
            await socket.say(type=kind, **given)
        await socket.say(type="ping")
        kinds = {(await socket.frame())["type"] for _ in range(3)}
        assert kinds == {"subscribed", "pong"}
        await socket.close()

    asyncio.run(scenario())
