"""The notice port: one notice a subject at its last place, read in order, whatever was written again or late."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from storage import stores
from storage.cassandra import session
from storage.ids.snowflakes import id_month, id_us, make_id
from storage.ports.notices import SLOT_US, Kind, Notice, Notices, slot_of
from storage.ports.ranges import Range
from tests.backends import counted_store_calls
from tests.ids import new_id

LIKE, FOLLOW, REPLY = Kind("like", once=False), Kind("follow", once=False), Kind("reply", once=True)
ASKED = Kind("asked", once=False, alone=True)
KINDS = (LIKE, FOLLOW, REPLY)
YEAR_US = 365 * 86_400_000_000


@pytest.fixture
def notices(store: str) -> Notices:
    return stores.notices()


def read(notices: Notices, recipient: int, kinds: tuple[Kind, ...] = KINDS) -> list[Notice]:
    return notices.newest(recipient, kinds, Range(None, None, 100))


def test_nobody_is_told_of_anything_at_first(notices: Notices) -> None:
    recipient = new_id()
    assert read(notices, recipient) == []
    assert notices.read_up_to(recipient) == 0


def test_what_happens_again_moves_to_the_front_and_is_there_once(notices: Notices) -> None:
    recipient, tweet, other = new_id(), new_id(), new_id()
    notices.add([Notice(recipient, LIKE, tweet, new_id())])
    notices.add([between := Notice(recipient, LIKE, other, new_id())])
    notices.add([again := Notice(recipient, LIKE, tweet, new_id())])
    assert read(notices, recipient) == [again, between]


@pytest.mark.parametrize("kind", KINDS)
def test_written_again_or_late_it_changes_nothing(notices: Notices, kind: Kind) -> None:
    """Of what comes once the first holds: it was written again for the same reason."""
    recipient, subject = new_id(), new_id()
    first, last = (Notice(recipient, kind, subject, new_id()) for _ in range(2))
    holds, other = (first, last) if kind.once else (last, first)
    notices.add([other])
    assert read(notices, recipient) == [other]
    for written in (holds, other, holds):
        notices.add([written])
        assert read(notices, recipient) == [holds]
    notices.add([other, holds, other])
    assert read(notices, recipient) == [holds]
    assert notices.newest(recipient, [kind], Range(None, 0, 10)) == [holds]


def test_of_what_is_about_nothing_there_is_one_wherever_it_stands(notices: Notices) -> None:
    recipient = new_id()
    standing = [Notice(recipient, ASKED, 0, new_id()) for _ in range(3)]
    like = Notice(recipient, LIKE, new_id(), new_id())
    for each in (*standing, like):
        notices.add([each])
    last = standing[-1]
    kinds = [ASKED, LIKE]
    assert notices.newest(recipient, kinds, Range(None, None, 10)) == [like, last]
    assert notices.newest(recipient, kinds, Range(like.place, None, 10)) == [last]
    assert notices.newest(recipient, kinds, Range(last.place, None, 10)) == []
    assert notices.newest(recipient, kinds, Range(None, last.place, 10)) == [like]
    assert notices.newest(recipient, kinds, Range(None, last.place - 1, 1)) == [last]


def test_a_recipient_has_their_own(notices: Notices) -> None:
    ada, ben, subject = new_id(), new_id(), new_id()
    of_ada, of_ben = Notice(ada, LIKE, subject, new_id()), Notice(ben, LIKE, subject, new_id())
    notices.add([of_ada, of_ben])
    assert read(notices, ada) == [of_ada]
    assert read(notices, ben) == [of_ben]


def test_kinds_are_read_alone_or_together(notices: Notices) -> None:
    recipient, subject = new_id(), new_id()
    written = [Notice(recipient, kind, subject, new_id()) for kind in KINDS]
    notices.add(written)
    assert read(notices, recipient) == written[::-1]
    assert read(notices, recipient, (REPLY, LIKE)) == [written[2], written[0]]
    assert read(notices, recipient, ()) == []


@pytest.mark.parametrize("seed", range(6))
def test_any_range_is_what_a_list_would_say(notices: Notices, seed: int) -> None:
    """Over years and within one slot, again and again, in any order of writing."""
    dice, recipient, now = random.Random(seed), new_id(), id_us(new_id())
    spans = [SLOT_US // 5, SLOT_US * 20, YEAR_US]
    subjects = [new_id() for _ in range(5)]
    written, standing = list[Notice](), dict[tuple[str, int], Notice]()
    for _ in range(120):
        kind = dice.choice(KINDS)
        subject = new_id() if kind.once else dice.choice(subjects)
        place = make_id(now - dice.randrange(dice.choice(spans)), dice.randrange(4096))
        written.append(Notice(recipient, kind, subject, place))
    for start in range(0, len(written), 7):
        notices.add(written[start : start + 7])
    for each in written:
        known = standing.setdefault((each.kind.name, each.subject), each)
        standing[each.kind.name, each.subject] = max(known, each, key=lambda notice: notice.place)
    for _ in range(25):
        kinds = tuple(dice.sample(KINDS, dice.randrange(1, 4)))
        expected = sorted((each for each in standing.values() if each.kind in kinds), key=lambda each: -each.place)
        place, limit = dice.choice(written).place + dice.choice((-1, 0, 1)), dice.choice((1, 3, 20, 200))
        down = [each for each in expected if each.place < place]
        assert notices.newest(recipient, kinds, Range(place, None, limit)) == down[:limit]
        up = [each for each in expected if each.place > place]
        assert notices.newest(recipient, kinds, Range(None, place, limit)) == up[-limit:]
        assert notices.newest(recipient, kinds, Range(None, None, limit)) == expected[:limit]


def test_more_in_one_slot_than_is_read_at_once_is_in_order(notices: Notices) -> None:
    dice, recipient, now = random.Random(3), new_id(), id_us(new_id())
    start = now - now % SLOT_US - SLOT_US
    written = [Notice(recipient, LIKE, new_id(), make_id(start + us, 1)) for us in dice.sample(range(10_000), 90)]
    notices.add(written)
    expected = sorted(written, key=lambda each: -each.place)
    assert notices.newest(recipient, [LIKE], Range(None, None, 5)) == expected[:5]
    assert notices.newest(recipient, [LIKE], Range(expected[30].place, None, 5)) == expected[31:36]
    assert notices.newest(recipient, [LIKE], Range(None, expected[30].place, 5)) == expected[25:30]
    assert notices.newest(recipient, [LIKE], Range(None, 1, 5)) == expected[-5:]


def test_the_mark_never_goes_back(notices: Notices) -> None:
    recipient, (first, second, third) = new_id(), (new_id() for _ in range(3))
    for marked, stands in ((second, second), (first, second), (second, second), (third, third), (first, third)):
        notices.mark_read(recipient, marked)
        assert notices.read_up_to(recipient) == stands
    assert notices.read_up_to(new_id()) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_slot_never_reaches_above_its_notices_or_out_of_their_month(kind: Kind) -> None:
    dice, now = random.Random(7), id_us(new_id())
    places = sorted(make_id(now - dice.randrange(2 * YEAR_US), dice.randrange(4096)) for _ in range(2_000))
    slots = [slot_of(kind, place) for place in places]
    assert slots == sorted(slots)
    assert all(slot <= place < slot + (SLOT_US << 12) for slot, place in zip(slots, places, strict=True))
    assert all(id_month(slot) == id_month(place) for slot, place in zip(slots, places, strict=True))


@pytest.mark.cassandra
@pytest.mark.parametrize("store", ["cassandra"], indirect=True)
def test_a_flood_is_few_rows_and_no_tombstone(notices: Notices) -> None:
    recipient, tweet, now = new_id(), new_id(), amid_a_month_us()
    aligned = now - now % SLOT_US
    flood = [Notice(recipient, LIKE, tweet, make_id(aligned + us, 1)) for us in range(0, 3_000)]
    for start in range(0, len(flood), 500):
        notices.add(flood[start : start + 500])
    before = Notice(recipient, LIKE, new_id(), make_id(aligned - 5 * SLOT_US, 1))
    notices.add([before])
    month = id_month(flood[-1].place)
    rows = session.execute(
        "SELECT place FROM notices_by_time WHERE recipient = ? AND kind = ? AND month = ?", (recipient, "like", month)
    )
    assert rows == [(flood[-1].place,), (before.place,)]
    with counted_store_calls() as calls:
        assert notices.newest(recipient, [LIKE], Range(None, None, 20)) == [flood[-1], before]
    assert calls == ["execute_all", "execute_all", "execute_all"]


@pytest.mark.cassandra
@pytest.mark.parametrize("store", ["cassandra"], indirect=True)
def test_a_month_of_likes_of_one_tweet_is_walked_in_a_few_reads(notices: Notices) -> None:
    recipient, tweet, now = new_id(), new_id(), id_us(new_id())
    places = [make_id(now - slot * SLOT_US, 1) for slot in range(3_000)]
    for start in range(0, len(places), 500):
        notices.add([Notice(recipient, LIKE, tweet, place) for place in places[start : start + 500]])
    oldest = Notice(recipient, LIKE, new_id(), make_id(now - 4_000 * SLOT_US, 1))
    notices.add([oldest])
    newest = Notice(recipient, LIKE, tweet, places[0])
    with counted_store_calls() as calls:
        assert notices.newest(recipient, [LIKE], Range(None, None, 20)) == [newest, oldest]
    assert len(calls) <= 16, calls


@pytest.mark.cassandra
@pytest.mark.parametrize("store", ["cassandra"], indirect=True)
def test_what_moves_while_it_is_read_is_there_going_down_and_later_going_up(
    notices: Notices, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipient, tweet = new_id(), new_id()
    notices.add([first := Notice(recipient, LIKE, tweet, new_id())])
    asked, moved = session.execute_many, list[Notice]()

    def move_first(cql: str, rows: list[tuple[object, ...]]) -> list[list[session.Row]]:
        moved.append(Notice(recipient, LIKE, tweet, new_id()))
        notices.add(moved[-1:])
        return asked(cql, rows)

    monkeypatch.setattr(session, "execute_many", move_first)
    assert notices.newest(recipient, [LIKE], Range(None, None, 5)) == moved
    assert notices.newest(recipient, [LIKE], Range(None, first.place, 5)) == []
    monkeypatch.undo()
    assert notices.newest(recipient, [LIKE], Range(None, first.place, 5)) == moved[-1:]


@pytest.mark.cassandra
@pytest.mark.parametrize("store", ["cassandra"], indirect=True)
def test_what_is_about_nothing_leaves_one_row_however_often_it_happens(notices: Notices) -> None:
    recipient = new_id()
    for _ in range(3):
        notices.add([Notice(recipient, ASKED, 0, new_id())])
    assert session.execute("SELECT month FROM notice_months WHERE recipient = ?", (recipient,)) == []
    assert (
        len(
            session.execute(
                "SELECT place FROM notices WHERE recipient = ? AND kind = ? AND subject = ?", (recipient, "asked", 0)
            )
        )
        == 1
    )


def test_forgetting_takes_everything_of_one_recipient_in_pieces(
    notices: Notices, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("storage.embedded.notices", "storage.cassandra.notices"):
        monkeypatch.setattr(f"{module}.FORGOTTEN", 3)
    recipient, other = new_id(), new_id()
    kinds = (*KINDS, ASKED)
    start = id_us(new_id())
    for number in range(10):
        place = make_id(start - number * YEAR_US // 6, number + 1)
        for each in (recipient, other):
            notices.add([Notice(each, KINDS[number % 3], new_id(), place)])
    for each in (recipient, other):
        notices.add([Notice(each, ASKED, 0, new_id())])
        notices.mark_read(each, new_id())
    pieces = 0
    while count := notices.forget(recipient, kinds):
        assert count <= 3
        pieces += 1
    assert pieces >= 4
    assert read(notices, recipient, kinds) == []
    assert notices.read_up_to(recipient) == 0
    assert len(read(notices, other, kinds)) == 11
    assert notices.read_up_to(other) > 0
    assert notices.forget(recipient, kinds) == 0, "again"


def test_forgetting_takes_the_newest_first_and_other_kinds_stay(
    notices: Notices, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("storage.embedded.notices", "storage.cassandra.notices"):
        monkeypatch.setattr(f"{module}.FORGOTTEN", 2)
    recipient, start = new_id(), id_us(new_id())
    places = [make_id(start - number * YEAR_US // 6, number + 1) for number in range(7)]
    for number, place in enumerate(places):
        notices.add([Notice(recipient, KINDS[number % 2], new_id(), place)])
    stays = Notice(recipient, KINDS[2], new_id(), new_id())
    notices.add([stays])
    left = [places]
    while notices.forget(recipient, KINDS[:2]):
        left.append([each.place for each in read(notices, recipient, KINDS[:2])])
        assert left[-1] == places[len(places) - len(left[-1]) :]
    assert left[-1] == []
    assert read(notices, recipient) == [stays]


@pytest.mark.parametrize("kind", [*KINDS, ASKED])
def test_a_notice_that_comes_after_forgetting_is_there_and_is_forgotten_too(notices: Notices, kind: Kind) -> None:
    recipient, subject = new_id(), 0 if kind.alone else new_id()
    notices.add([Notice(recipient, kind, subject, new_id())])
    while notices.forget(recipient, [kind]):
        pass
    notices.add([late := Notice(recipient, kind, new_id() if kind.once else subject, new_id())])
    assert read(notices, recipient, (kind,)) == [late]
    while notices.forget(recipient, [kind]):
        pass
    assert read(notices, recipient, (kind,)) == []


@pytest.mark.cassandra
@pytest.mark.parametrize("store", ["cassandra"], indirect=True)
@pytest.mark.parametrize("kind", [*KINDS, ASKED])
def test_what_is_forgotten_stands_in_no_row(notices: Notices, kind: Kind) -> None:
    """Also what was written at a time that no clock comes to, so that the first holds."""
    recipient, subject = new_id(), 0 if kind.alone else new_id()
    notices.add([Notice(recipient, kind, subject, new_id())])
    truth = "SELECT place FROM notices WHERE recipient = ? AND kind = ? AND subject = ?"
    assert session.execute(truth, (recipient, kind.name, subject))
    while notices.forget(recipient, [kind]):
        pass
    assert session.execute(truth, (recipient, kind.name, subject)) == []


@pytest.mark.cassandra
@pytest.mark.parametrize("store", ["cassandra"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_ordered_before_and_is_written_behind_forgetting_stands_in_no_row(
    notices: Notices, kind: Kind
) -> None:
    recipient, late = new_id(), new_id()
    while notices.forget(recipient, KINDS):
        pass
    notices.add([Notice(recipient, kind, new_id(), late)])
    listed = "SELECT slot FROM notices_by_time WHERE recipient = ? AND kind = ? AND month = ?"
    assert session.execute(listed, (recipient, kind.name, id_month(late))) == []
    while notices.forget(recipient, KINDS):
        pass
    assert read(notices, recipient) == []


def amid_a_month_us() -> int:
    """A moment of last month, far from its ends."""
    last = datetime.now(UTC).replace(day=1) - timedelta(days=1)
    return int(last.replace(day=15, hour=12).timestamp()) * 1_000_000
