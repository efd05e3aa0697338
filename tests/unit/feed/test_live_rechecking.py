"""Tokens that are looked at together: only the socket whose token is not good looks for itself."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from feed.live import rechecking as module
from feed.live.rechecking import Rechecking


class Socket:
    def __init__(self, token: str) -> None:
        self.token = token
        self.looked = 0

    def look_at_token(self) -> None:
        self.looked += 1


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """What was asked of the truth, by which every token is good but `ended`."""
    found: list[Sequence[str]] = []

    def good_among(tokens: Sequence[str]) -> set[str]:
        found.append(tokens)
        return set(tokens) - {"ended"}

    async def housekeeping(ask: Callable[..., set[str]], tokens: Sequence[str]) -> set[str]:
        return ask(tokens)

    monkeypatch.setattr(module, "good_among", good_among)
    monkeypatch.setattr(module, "housekeeping", housekeeping)
    monkeypatch.setattr(module, "RECHECK_SECONDS", 0.0)
    monkeypatch.setattr(module, "TOGETHER", 2)
    return found


def test_only_whose_token_is_not_good_looks_for_itself(asked: list[Sequence[str]]) -> None:
    good, ended, left = Socket("good"), Socket("ended"), Socket("ended")
    others = [Socket(f"good {number}") for number in range(3)]
    checking = Rechecking()
    for each in (good, ended, left, *others):
        checking.add(each)
    checking.remove(left)
    checking.remove(left)
    asyncio.run(checking.keep_checking())
    assert (good.looked, ended.looked, left.looked) == (0, 1, 0)
    assert [each.looked for each in others] == [0, 0, 0]
    assert sorted(map(len, asked)) == [1, 2, 2]
