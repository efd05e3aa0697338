"""Telling Redis that somebody's news are others now: how much is new is counted again."""

from functools import partial

from accounts.graph.notifications import news_changed
from storage.errors import Unavailable
from storage.redis.deferred_writes import timeline_writes
from storage.redis.node import timeline_node


def tell_news(person_id: int) -> None:
    """To be called behind the write. A Redis round trip; if Redis does not answer, it is told when it is back, and the
    count of what is new is right then, or within minutes."""
    tell = partial(_tell, person_id)
    try:
        tell()
    except Unavailable:
        timeline_writes.keep(tell)


def _tell(person_id: int) -> None:
    timeline_node().round_trip(news_changed(person_id))
