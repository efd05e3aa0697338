"""Bodies are read so many at a time; the one that has been read for the longest gives way."""

import asyncio
from typing import Any
from unittest.mock import patch

import pytest

from config.serving import bodies
from config.serving.bodies import Bodies, More, TooSlow

FAST: Any = {"READ_SECONDS": 0.3, "FREE_SECONDS": 0.1, "BYTES_A_SECOND": 100}


async def never() -> bytes | None:
    await asyncio.Event().wait()
    return None


def of(*pieces: bytes, pause: float = 0.0) -> More:
    left = list(pieces)

    async def more() -> bytes | None:
        await asyncio.sleep(pause)
        return left.pop(0) if left else None

    return more


async def ends(reading: asyncio.Task[bytes]) -> bool:
    """Whether it was ended for another."""
    done, _ = await asyncio.wait([reading], timeout=0.02)
    return bool(done) and isinstance(reading.exception(), TooSlow)


def test_a_body_is_returned_whole_and_a_longer_one_with_one_byte_too_many() -> None:
    async def read() -> None:
        every = Bodies()
        assert await every.read("a", of(b"ab", b"", b"cd"), 4) == b"abcd"
        assert await every.read("a", of(b"abc", b"defghi", b"never"), 4) == b"abcde"
        assert await every.read("a", of(), 4) == b""

    asyncio.run(read())


@pytest.mark.parametrize("more", [never, of(*[b"x"] * 100, pause=0.01)], ids=["nothing", "a byte now and then"])
def test_what_comes_too_slowly_is_given_up(more: More) -> None:
    with patch.multiple(bodies, **FAST), pytest.raises(TooSlow):
        asyncio.run(Bodies().read("a", more, 1000))


def test_what_comes_fast_enough_may_take_longer_but_not_for_ever() -> None:
    with patch.multiple(bodies, **FAST):
        enough = of(*[b"x" * 10] * 4, pause=0.05)
        assert len(asyncio.run(Bodies().read("a", enough, 1000))) == 40
        with pytest.raises(TooSlow):
            asyncio.run(Bodies().read("a", of(*[b"x" * 10] * 40, pause=0.05), 1000))


def test_beyond_the_bound_of_an_address_its_oldest_gives_way() -> None:
    async def read() -> None:
        every = Bodies()
        start = asyncio.get_running_loop().create_task
        first, second, other = (start(every.read(address, never, 9)) for address in ("a", "a", "b"))
        await asyncio.sleep(0)
        assert await every.read("a", of(b"x"), 9) == b"x"
        assert [await ends(each) for each in (first, second, other)] == [True, False, False]
        assert await every.read("a", of(b"y"), 9) == b"y"
        assert not await ends(second)  # the first one has left, and what was read at once, too
        second.cancel()
        other.cancel()

    with patch.multiple(bodies, AT_A_TIME_EACH=2, SPARED_SECONDS=0.0):
        asyncio.run(read())


def test_a_burst_of_ordinary_writes_is_spared() -> None:
    """All begin before the first body is looked at, as in a loop that is busy."""

    async def read() -> None:
        every = Bodies()
        made = [every.read("a", of(b"x", pause=0.01), 9) for _ in range(3 * bodies.AT_A_TIME_EACH)]
        assert await asyncio.gather(*made) == [b"x"] * len(made)

    asyncio.run(read())


def test_beyond_the_bound_of_all_the_oldest_of_who_has_most_gives_way() -> None:
    async def read() -> None:
        every = Bodies()
        start = asyncio.get_running_loop().create_task
        lone, first, second = (start(every.read(address, never, 9)) for address in ("b", "a", "a"))
        await asyncio.sleep(0)
        assert await every.read("c", of(b"x"), 9) == b"x"
        assert [await ends(each) for each in (lone, first, second)] == [False, True, False]
        lone.cancel()
        second.cancel()

    with patch.multiple(bodies, AT_A_TIME=3, SPARED_SECONDS=0.0):
        asyncio.run(read())
