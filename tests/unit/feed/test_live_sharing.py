"""What several sockets are told of is read once, and anew when it has changed or was not to be read."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from feed.live import sharing as sharing_module
from feed.live.sharing import Sharing
from storage.errors import Unavailable
from tweets.reading.many_viewers import Shared


class Read:
    """What was read of some tweets; an object of its own."""

    def __init__(self, ids: tuple[int, ...]) -> None:
        self.ids = ids

    def shows(self, tweet_id: int) -> bool:
        return tweet_id in self.ids


class Reads:
    """The batches that were read; the store does not answer while it is `down`."""

    def __init__(self) -> None:
        self.all: list[tuple[int, ...]] = []
        self.down = False

    async def __call__(self, ids: tuple[int, ...]) -> Any:
        self.all.append(ids)
        await asyncio.sleep(0)
        if self.down:
            raise Unavailable("store")
        return Read(ids)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    reads = Reads()
    monkeypatch.setattr(sharing_module, "_read", reads)
    return reads


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_sockets_that_ask_together_read_once_and_one_that_is_gone_stops_nobody(reads: Reads) -> None:
    async def scenario() -> None:
        sharing = Sharing()
        asking = [asyncio.create_task(sharing.of((7, 8))) for _ in range(3)]
        await asyncio.sleep(0)
        asking[0].cancel()
        found: list[Shared] = await asyncio.gather(*asking[1:])
        assert found[0] is found[1] is await sharing.of((7, 8))
        assert reads.all == [(7, 8)]

    run(scenario)


def test_what_was_deleted_and_everything_once_somebody_is_suspended_is_read_anew(reads: Reads) -> None:
    async def scenario() -> None:
        sharing = Sharing()
        for ids in ((7, 8), (9,)):
            await sharing.of(ids)
        sharing.gone(8)
        for ids in ((7, 8), (9,)):
            await sharing.of(ids)
        assert reads.all[2:] == [(7, 8)]
        sharing.forget()
        await sharing.of((9,))
        assert reads.all[3:] == [(9,)]

    run(scenario)


def test_what_could_not_be_read_is_read_again_and_what_is_old_too(
    reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        sharing = Sharing()
        reads.down = True
        for _ in range(2):
            with pytest.raises(Unavailable):
                await sharing.of((7,))
        reads.down = False
        await sharing.of((7,))
        assert len(reads.all) == 3
        monkeypatch.setattr(sharing_module, "KEPT_SECONDS", -1.0)
        await sharing.of((7,))
        assert len(reads.all) == 4

    run(scenario)


def test_so_much_is_kept_and_no_more(reads: Reads) -> None:
    async def scenario() -> None:
        sharing = Sharing()
        for number in range(2 * sharing_module.KEPT):
            await sharing.of((number,))
        assert len(sharing._reads) == sharing_module.KEPT

    run(scenario)
