"""Readers of home timelines, and the keys that their reading leaves in Redis."""

from accounts.graph import follows
from accounts.models import User
from accounts.people.purge import READING
from storage.redis.node import timeline_node
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person
from tests.work import work_off_everything
from tweets.writing import liking


def a_reader_of(*authors: User) -> User:
    reader = new_person()
    for author in authors:
        follows.follow(reader.id, author.id)
    return reader


def redis(*command: str | bytes | int) -> object:
    [answer] = timeline_node().round_trip(command)
    return answer


def all_keys() -> list[str]:
    [names] = timeline_node().round_trip(("KEYS", "*"))
    return [name.decode() for name in names]


def reading_of(person: User) -> set[str]:
    """The families of keys that the person's reading has left."""
    return {key.split(":")[1] for key in all_keys() if key.endswith(f":{person.id}")} & {*READING}


def operator() -> User:
    return new_person(staff=True)


def active_reader(*authors: User) -> User:
    """Somebody whose reading has left a key of each family."""
    reader = new_person()
    for author in authors or [new_person()]:
        follows.follow(reader.id, author.id)
    tweet = post(reader)
    liking.like(viewer=viewer(reader), tweet_id=tweet)
    client = ApiClient(reader)
    for _ in range(2):
        assert client.get("/api/v1/feed/home").status_code == 200
    work_off_everything()
    assert reading_of(reader) == {*READING}
    return reader
