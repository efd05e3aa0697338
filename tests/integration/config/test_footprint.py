"""How many files a reader has to open to follow a request: bounds, so that a shortcut's detour is noticed.

    make footprint     # prints what each goes through

docs/adr/026-rooms.md has the figures before and after.
"""

from collections.abc import Callable

import pytest

from storage import stores
from tests.footprint import Footprint, footprint
from tests.people import ApiClient, new_person
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("product")

FILES_AT_MOST = {
    "cassandra": {"POST /tweets": 40, "GET /feed/home": 32, "PUT follow": 31, "PUT retweet": 43},
    "embedded": {"POST /tweets": 39, "GET /feed/home": 32, "PUT follow": 30, "PUT retweet": 42},
}
"""The embedded store has files of its own for the lock and for where a model's tables are. Three files of a POST
parse the text (tweets/parsing), one of a page walks it (storage/web/walking.py) and one counts whether it was warm
(storage/redis/tallies.py); three of every request say how long what Redis knows of its token is good
(storage/redis/lasting_cache.py, accounts/account_cache/known_tokens.py and vouching.py); one of a
tweet names what a later operation on it changes (tweets/writing/changed.py), and one its hashtags
(tweets/hashtags.py); one of a write in Cassandra knows which listings stand (storage/cassandra/lasting.py); one of a
retweet names the channel of those who watch the original (fanout/live/channel.py); one of who shows tweets reads
the log of changed accounts (accounts/account_cache/change_log.py), and one makes what is shown
(tweets/reading/outputs.py). Four of every request write its line, or note that it is to be written, put on its
answer what is the same for all, and look after its SQL connections (config/observability/logs.py,
storage/telling.py, config/http/fields.py, config/serving/sql_connections.py).
One of who writes says whom it notifies (accounts/graph/notifications.py), and two
hand a follow's order to the workers from below fan-out (accounts/graph/announcing.py, config/orders.py)."""


def requests() -> dict[str, Callable[[], object]]:
    """Four requests, whose reader's timeline is warm, and who follows from a profile."""
    author, reader, stranger = new_person(), new_person(), new_person()
    writing, reading = ApiClient(author), ApiClient(reader)

    def post() -> str:
        answer = writing.post("/api/v1/tweets", {"text": "hello"}, content_type="application/json")
        return str(answer.json()["data"]["id"])

    reading.put(f"/api/v1/users/{author.username}/follow")
    ids = [post() for _ in range(20)]
    work_off_everything()
    reading.get(f"/api/v1/users/{stranger.username}")
    stores.ids.close()
    stores.ids.next()  # its lease is new: none of the requests renews it
    for _ in range(3):
        assert len(reading.get("/api/v1/feed/home").json()["data"]) == 20
    return {
        "POST /tweets": post,
        "GET /feed/home": lambda: reading.get("/api/v1/feed/home"),
        "PUT retweet": lambda: reading.put(f"/api/v1/tweets/{ids[0]}/retweet"),
        "PUT follow": lambda: reading.put(f"/api/v1/users/{stranger.username}/follow"),
    }


def described(name: str, found: Footprint) -> str:
    return "\n  ".join([f"{name}: {len(found.files)} files, {len(found.functions)} functions", *found.files])


def test_a_request_crosses_few_files(product: str) -> None:
    found = {name: footprint(request) for name, request in requests().items()}
    print("\n".join(described(*each) for each in found.items()))
    assert {
        name: len(each.files) for name, each in found.items() if len(each.files) > FILES_AT_MOST[product][name]
    } == {}
