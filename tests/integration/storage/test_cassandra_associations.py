"""What the contract cannot see: the rows behind the associations and the outbox in Cassandra."""

import random
from unittest.mock import patch

import pytest

from storage.cassandra import associations as module
from storage.cassandra import edge_listings, session
from storage.cassandra.associations import REMOVED_SECONDS, CassandraAssociations
from storage.cassandra.month_log import MonthLog
from storage.cassandra.outbox import CassandraOutbox
from storage.errors import Unavailable
from storage.ids.snowflakes import EPOCH_US, MAX_ID, id_minute, make_id, now_us, spread, write_timestamp
from storage.ports.associations import Association, Change
from storage.ports.outbox import SHARDS, Order
from tests.ids import new_id

pytestmark = [pytest.mark.cassandra, pytest.mark.usefixtures("cassandra")]

LOG = MonthLog(
    table="edges_by_time",
    months="edge_months",
    owner=("owner", "kind", "direction"),
    id_column="op",
    columns=("other",),
)
MONTH_US = 31 * 86_400 * 1_000_000


@pytest.fixture
def associations() -> CassandraAssociations:
    return CassandraAssociations(sample=lambda: False)


def listed(owner: int, direction: str) -> list[int]:
    """The ops in a listing's rows, checked or not."""
    return [op for op, _ in LOG.read((owner, "like", direction), limit=10_000)]


def change(source: int, target: int, *, present: bool = True, op: int | None = None) -> Change:
    return Change(source, "like", target, op or new_id(), present)


def test_listings_keep_no_row_of_what_was_overtaken(associations: CassandraAssociations) -> None:
    """Else who likes and unlikes one tweet all day would fill their listing with it."""
    source, target = new_id(), new_id()
    for present in (True, False, True, True):
        last = change(source, target, present=present)
        associations.apply([last])
    assert listed(source, "out") == listed(target, "in") == [last.op]
    associations.apply([change(source, target, present=False)])
    assert listed(source, "out") == listed(target, "in") == []


def test_a_late_older_operation_leaves_no_row(associations: CassandraAssociations) -> None:
    source, target = new_id(), new_id()
    late, newer = change(source, target), change(source, target)
    associations.apply([newer])
    associations.apply([late])
    assert listed(source, "out") == listed(target, "in") == [newer.op]


def test_an_add_overtaken_between_its_read_and_its_write_enters_no_bucket(
    associations: CassandraAssociations,
) -> None:
    """Its writer saw no removal yet, and the next level already: the bucket it writes to is cleared all the same."""
    for _ in range(8):
        source, target = new_id(), new_id()
        late = change(source, target)
        associations.apply([change(source, target, present=False)])
        associations.grow(target, "like", 1)
        with patch.object(module, "_truths_and_levels", return_value=([None], [1])):
            associations.apply([late])
        assert [associations.bucket_sources(target, "like", bucket, limit=5) for bucket in (0, 1)] == [[], []]
        assert associations.newest_targets(source, "like", limit=5) == []


def test_rows_that_a_race_left_behind_are_skipped_and_the_page_filled(associations: CassandraAssociations) -> None:
    source = new_id()
    stay = [change(source, new_id()) for _ in range(6)]
    overtaken = [change(source, new_id()) for _ in range(6)]
    associations.apply(stay[:3] + overtaken)
    associations.apply([change(source, each.target, present=False) for each in overtaken])
    associations.apply(stay[3:])
    for each in overtaken:
        session.write_all(LOG.insert((source, "like", "out"), each.op + 1, (each.target,)))
    page = associations.newest_targets(source, "like", limit=6)
    assert [edge.op for edge in page] == [each.op for each in reversed(stay)]
    assert len(listed(source, "out")) == 6


def test_a_row_that_is_seen_before_its_truth_is_not_listed_yet_and_kept(associations: CassandraAssociations) -> None:
    source, target, older = new_id(), new_id(), new_id()
    associations.apply([change(source, target, present=False, op=older)])
    early = new_id()
    session.write_all(LOG.insert((source, "like", "out"), early, (target,)))
    assert associations.newest_targets(source, "like", limit=5) == []
    assert listed(source, "out") == [early]
    associations.apply([change(source, target, op=early)])
    assert associations.newest_targets(source, "like", limit=5) == [Association(source, "like", target, early)]


def test_a_walk_over_rows_left_behind_is_bounded_and_says_so(
    associations: CassandraAssociations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short page would claim that the listing ends here; the next call gets further."""
    source, target = new_id(), new_id()
    older, left, newest = change(source, new_id()), [new_id() for _ in range(5)], change(source, target)
    associations.apply([older, newest])
    session.write_all([row for op in left for row in LOG.insert((source, "like", "out"), op, (target,))])
    with monkeypatch.context() as hurry:
        hurry.setattr(edge_listings, "LISTING_SECONDS", 0.0)
        with pytest.raises(Unavailable):
            associations.newest_targets(source, "like", limit=2)
    assert len(listed(source, "out")) == 6, "what was passed over is gone"
    assert [edge.op for edge in associations.newest_targets(source, "like", limit=2)] == [newest.op, older.op]
    assert sorted(listed(source, "out")) == [older.op, newest.op]


def test_a_removal_is_a_flag_that_expires(associations: CassandraAssociations) -> None:
    source, target = new_id(), new_id()
    associations.apply([change(source, target)])
    removal = change(source, target, present=False)
    associations.apply([removal])
    truth = "SELECT op, active, TTL(active), WRITETIME(active) FROM edges_out WHERE source = ? AND kind = 'like'"
    [(op, active, ttl, written)] = session.execute(truth, (source,))
    assert (op, active, written) == (removal.op, False, write_timestamp(removal.op))
    assert REMOVED_SECONDS - 60 < ttl <= REMOVED_SECONDS


def test_a_truth_added_again_does_not_expire(associations: CassandraAssociations) -> None:
    source, target = new_id(), new_id()
    for present in (False, True):
        associations.apply([change(source, target, present=present)])
    truth = "SELECT TTL(active), TTL(op) FROM edges_out WHERE source = ? AND kind = 'like'"
    assert session.execute(truth, (source,)) == [(None, None)]


def test_an_add_and_a_removal_of_one_microsecond_agree_everywhere(associations: CassandraAssociations) -> None:
    """Cassandra lets the removal win such a tie, in the truth as in every index."""
    for removal_worker, first in ((1, True), (3, True), (1, False), (3, False)):
        source, target, us = new_id(), new_id(), now_us()
        rivals = [
            change(source, target, op=make_id(us, 2)),
            change(source, target, op=make_id(us, removal_worker), present=False),
        ]
        for each in rivals if first else rivals[::-1]:
            associations.apply([each])
        present = bool(associations.find(source, "like", [target]))
        assert bool(associations.newest_targets(source, "like", limit=5)) is present
        assert bool(associations.newest_sources(target, "like", limit=5)) is present
        assert bool(associations.bucket_sources(target, "like", 0, limit=5)) is present


def test_growth_that_cannot_be_measured_does_not_fail_the_write(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise Unavailable("cassandra")

    monkeypatch.setattr(module, "_bucket_size", refuse)
    source, target = new_id(), new_id()
    CassandraAssociations(sample=lambda: True).apply([change(source, target)])
    assert CassandraAssociations().targets(source, "like") == [target]


def test_a_forgotten_minute_leaves_nothing_to_read(empty_cassandra_outbox: None) -> None:
    outbox = CassandraOutbox()
    order_id = make_id(now_us() - 3_600_000_000, 1)
    outbox.add(Order(order_id, "x", (1,)))
    outbox.mark_done(order_id)
    outbox.discard_closed(now_us=now_us() + 3_600_000_000)
    place = (spread(order_id, SHARDS), id_minute(order_id))
    assert session.execute("SELECT id FROM outbox WHERE shard = ? AND minute = ?", place) == []
    assert session.execute("SELECT minute FROM outbox_minutes WHERE shard = ? AND minute = ?", place) == []


def test_what_was_written_a_moment_ago_is_not_hidden_by_forgetting(empty_cassandra_outbox: None) -> None:
    """The deletion is dated back: a write that the sweeper could not see yet survives it."""
    outbox = CassandraOutbox()
    order_id = make_id(now_us() - 3_600_000_000, 1)
    outbox.add(Order(order_id, "x", (1,)))
    outbox.mark_done(order_id)
    outbox.discard_closed(now_us=now_us())
    place = (spread(order_id, SHARDS), id_minute(order_id))
    assert session.execute("SELECT id FROM outbox WHERE shard = ? AND minute = ?", place) == [(order_id,)]
    assert session.execute("SELECT minute FROM outbox_minutes WHERE shard = ? AND minute = ?", place) == [place[1:]]


@pytest.mark.parametrize("seed", range(3))
def test_a_month_log_reads_like_a_sorted_list(seed: int) -> None:
    chance = random.Random(seed)
    owner = (new_id(), "log", "out")
    months = sorted(chance.sample(range(1, 190), 40))
    ids = sorted(make_id(EPOCH_US + month * MONTH_US + chance.randrange(MONTH_US), 1) for month in months for _ in "ab")
    session.write_all([each for snowflake in ids for each in LOG.insert(owner, snowflake, (7,))])
    for _ in range(25):
        after, before = chance.choice([0, chance.choice(ids)]), chance.choice([None, MAX_ID, chance.choice(ids)])
        limit, oldest_first = chance.choice([1, 2, 7, 79, 80, 81, 500]), chance.random() < 0.5
        inside = [each for each in ids if after < each < (before or MAX_ID)]
        expected = (inside if oldest_first else inside[::-1])[:limit]
        rows = LOG.read(owner, before=before, after=after, limit=limit, oldest_first=oldest_first)
        assert rows == [(each, 7) for each in expected]


def test_month_logs_of_many_owners_are_read_side_by_side() -> None:
    owners = [(new_id(), "log", "out") for _ in range(5)]
    for size, owner in enumerate(owners):
        for month in range(size * 5):
            session.write_all(LOG.insert(owner, make_id(EPOCH_US + (month + 1) * MONTH_US, 1), (1,)))
    with patch.object(session, "execute_many", wraps=session.execute_many) as trips:
        found = LOG.read_many(owners, limit=100)
    assert [len(found[owner]) for owner in owners] == [0, 5, 10, 15, 20]
    assert trips.call_count == 1 + 5
    assert LOG.read_many([], limit=5) == {}
    assert LOG.read(owners[4], before=1, limit=5) == []
    assert LOG.read(owners[4], limit=0) == []
