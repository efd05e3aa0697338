"""An application that is one of several, by what the scope says."""

import asyncio
from typing import Any

import pytest

from config.serving.routed import Routed


def called(name: str, by: list[str]) -> Any:
    async def application(_scope: Any, _receive: Any, _send: Any) -> None:
        by.append(name)

    return application


def test_it_is_the_one_for_the_field_or_else_the_last() -> None:
    by: list[str] = []
    inner = Routed("path", {"/a": called("a", by)}, called("other", by))
    outer = Routed("type", {"websocket": inner})
    ignored: Any = None
    for path in ("/a", "/b", "/a/"):
        asyncio.run(awaited(outer({"type": "websocket", "path": path}, ignored, ignored)))
    assert by == ["a", "other", "other"]
    with pytest.raises(ValueError, match="lifespan"):
        outer({"type": "lifespan"}, ignored, ignored)


async def awaited(answer: Any) -> None:
    await answer
