"""What `make chaos NODES=3` judges by."""

from tests.chaos.nodes import Post, compared, faults, phases_of

KILLED, RETURNED = 100.0, 125.0


def posted(begun: float, *, status: int = 201, seconds: float = 0.02) -> Post:
    return Post(author=0, begun=begun, seconds=seconds, status=status, tweet_id="1")


def wrong(*posts: Post) -> list[str]:
    good = [posted(moment) for moment in (90.0, 100.5, 110.0, 130.0)]
    return faults(phases_of([*good, *posts], KILLED, RETURNED))


def test_posts_belong_to_the_phase_in_which_they_began() -> None:
    moments = [99.9, 100.0, 100.99, 101.0, 124.9, 125.0]
    phases = phases_of([posted(moment) for moment in moments], KILLED, RETURNED)
    assert [len(phase.posts) for phase in phases] == [1, 2, 2, 1]


def test_in_the_first_second_a_post_may_fail() -> None:
    assert wrong() == []
    assert wrong(posted(100.2, status=503)) == []


def test_at_no_other_time() -> None:
    for moment in (99.0, 101.1, 126.0):
        assert len(wrong(posted(moment, status=503))) == 1
        assert len(wrong(posted(moment, status=0))) == 1


def test_the_slowest_of_the_first_second() -> None:
    assert wrong(posted(100.9, seconds=0.9)) == []
    assert len(wrong(posted(100.9, seconds=1.2))) == 1


def test_how_long_so_many_of_a_hundred_took() -> None:
    [phase, *_] = phases_of([posted(90.0, seconds=number / 1000) for number in range(100, 0, -1)], KILLED, RETURNED)
    assert [phase.slowest(share) for share in (50, 99, 100)] == [0.051, 0.1, 0.1]
    assert phases_of([], KILLED, RETURNED)[0].slowest(99) == 0.0


def test_what_is_lost_or_doubled_is_told() -> None:
    assert compared("home", {"1", "2"}, ["2", "1"]) == []
    assert compared("home", {"1", "2"}, ["2"]) == ["home lacks 1 of 2: ['1']"]
    assert compared("home", {"1", "2"}, ["2", "1", "2"]) == ["home holds ['2'] more than once"]
