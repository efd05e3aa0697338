"""Blocking code beside the event loop, in two pools, so that slow pages never hold up housekeeping."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

PAGE_THREADS = 16
"""Pages and hydrations at a time; while the store hangs, each holds a thread for its timeout."""
HOUSEKEEPING_THREADS = 4
"""Presence, watermark, changed accounts, token checks: short, and each at most once at a time a socket."""

P = ParamSpec("P")
R = TypeVar("R")

_pages = ThreadPoolExecutor(PAGE_THREADS, "live-pages")
_housekeeping = ThreadPoolExecutor(HOUSEKEEPING_THREADS, "live-housekeeping")


async def reading(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs what reads tweets; database connections are tidied up behind it."""
    return await database_sync_to_async(function, thread_sensitive=False, executor=_pages)(*args, **kwargs)


async def housekeeping(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs what keeps the live feed going, apart from reading."""
    return await database_sync_to_async(function, thread_sensitive=False, executor=_housekeeping)(*args, **kwargs)
