"""The settled place: timelines have every entry at or below it that they ever will, but for what the graph changes.

An entry comes into followers' timelines when its order was worked off, which may be minutes after an entry
that is newer. Whoever polls a timeline upwards goes back, each time, to below what is still to come
(storage/web/paging.py). How far that is says the outbox: the watermark (fanout/live/watermark.py). Nobody
could ask the outbox with each read, so each sweep puts the watermark beside the timelines of
each shard, and a timeline is read together with it. One that is old is a lower place, and safe; so it has no end.

An example: the orders of 10 and 12 are done, that of 11 waits for its worker, for five minutes now. The
settled place is 10. Who is shown 12 goes on from 10 at each poll, until 11 is there.

A server that has just been emptied knows no settled place. Its timelines and recent lists are made anew from the
store, each after it was opened; so what had settled in the store when the first of a shard was opened is in all of
them, whatever orders are open. The opening says so (lua/open.lua), in the same step; and the next sweep,
whenever that is, goes on from there. A timeline without a settled place is not served, but made anew.
"""

from django.conf import settings

from fanout.timelines.layout import pack
from fanout.timelines.materialised import settled_key
from storage.redis.node import timeline_node


def tell_settled(place: int) -> None:
    """Has reads go by this place, at or below which no order is open. One round trip. Raises `Unavailable`."""
    timeline_node().round_trip(*(("SET", settled_key(shard), pack(place)) for shard in range(settings.TIMELINE_SHARDS)))
