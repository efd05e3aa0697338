"""Open sockets end with the tokens that they came with, whoever changes the password."""

import asyncio
from collections.abc import Callable

import pytest

from accounts.models import User
from accounts.people import services
from accounts.sessions.ending import end_all
from feed.live.frames import CloseCode
from feed.live.rechecking import RECHECK_SECONDS
from feed.live.threads import housekeeping
from tests.integration.feed.sockets import Socket
from tests.people import PASSWORD, new_person

pytestmark = pytest.mark.usefixtures("product")


def set_and_saved(person: User) -> None:
    person.set_password("another-horse-42")
    person.save()


def by_another_session(person: User) -> None:
    change = services.ProfileChange(password="another-horse-42", current_password=PASSWORD)
    services.update_profile(person.pk, change, token_digest="of another token")


def signed_out_everywhere(person: User) -> None:
    end_all(person.pk)


@pytest.mark.parametrize("ends", [set_and_saved, by_another_session, signed_out_everywhere])
def test_each_socket_of_the_person_is_told_at_once_and_nobody_else_s(ends: Callable[[User], None]) -> None:
    person, other = new_person(), new_person()

    async def scenario() -> None:
        sockets = [await housekeeping(Socket, each) for each in (person, person, other)]
        for socket in sockets:
            await socket.open()
        await housekeeping(ends, person)
        async with asyncio.timeout(RECHECK_SECONDS / 2):
            assert [await socket.closed() for socket in sockets[:2]] == [CloseCode.NOT_AUTHENTICATED] * 2
        await sockets[2].say(type="ping")
        assert (await sockets[2].frame())["type"] == "pong"
        await sockets[2].close()

    asyncio.run(scenario())
