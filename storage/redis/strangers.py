"""Looking at a Redis whose it may be, without changing anything there."""

from typing import cast

from redis.exceptions import RedisError

from storage.errors import Unavailable
from storage.redis.connections import connect

LOOKED_AT = 1_000
"""Keys of a database, to see whose they are."""


def first_keys(url: str) -> list[bytes]:
    """Returns some keys of one server, none if there are none; without the greeting of the timelines' connections,
    which empties a server that is new to us. Raises `Unavailable`.
    """
    client = connect(url)
    try:
        cursor, keys = client.scan(count=LOOKED_AT)
        while cursor and not keys:
            cursor, keys = client.scan(cursor, count=LOOKED_AT)
    except (RedisError, OSError) as error:
        raise Unavailable("redis") from error
    finally:
        client.close()
    return cast(list[bytes], keys)
