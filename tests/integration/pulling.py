"""Pulled authors in tests: making them, and looking into Redis at what is theirs."""

from accounts.graph import follows
from accounts.models import User
from fanout.delivery import celebrities
from fanout.timelines import recents
from feed.operations.audit import Person, Report, audit
from storage.redis.node import timeline_node
from tests.integration.tweeting import home
from tests.people import new_person
from tests.work import work_off_everything


def followers_of(author: User, number: int) -> list[User]:
    readers = [new_person() for _ in range(number)]
    for reader in readers:
        follows.follow(reader.id, author.id)
    return readers


def a_celebrity(*readers: User) -> User:
    """Somebody pulled, whom these follow; their followers have just been counted."""
    author = new_person()
    for reader in readers:
        follows.follow(reader.id, author.id)
    celebrities.begin_pulling(author.id)
    counted_just_now(author)
    work_off_everything()
    return author


def recent_list(reader: User, author: User) -> list[int] | None:
    """The author's recent list in the reader's shard."""
    since = celebrities.delivery_of(author.id).since
    assert since is not None
    [found] = timeline_node().ask(recents.read(reader.id, [(author.id, since)], count=2_000))
    return None if found.missing else found.ids


def counted_just_now(author: User) -> None:
    timeline_node().round_trip(("SET", celebrities.counted_key(author.id), b"1"))


def forget_counting(author: User) -> None:
    timeline_node().round_trip(("DEL", celebrities.counted_key(author.id)))


def assert_right(*readers: User) -> None:
    """Each timeline is there, and is what the store says."""
    work_off_everything()
    for reader in readers:
        home(reader)
    report = Report()
    people = [Person(reader.id, reader.username) for reader in readers]
    assert [each for found in audit(people, report, repair=False, sleep=lambda _: None) for each in found] == []
    assert report.people - report.inactive == len(readers), "there is something to compare"
