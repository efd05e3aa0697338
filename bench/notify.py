"""What a notification costs, and what a flood of them costs whom they are for.

**A notification** is what a like costs more than one of one's own tweet, of which nobody is notified: its order, its
part of a message, its worker's reads and writes. All of it is counted, the request's part as well, as processor time of
web, workers, the Redis servers and Cassandra (costs.py). The reference is a post of an author with one follower, with
its fan-out.

**A flood** is FLOOD likes of one tweet, worked off by the same workers. Ours is the page of notifications of whom it is
for, the reference the page of somebody who has as many groups and a like in each; asked in turn.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from accounts.graph.notifications import NotificationType, notify_order
from bench import seeding
from bench.costs import GROUPS, Meter, Spent
from bench.open_loop import Request, offer
from bench.results import Figure, Result, Row, at_most
from bench.seeding import Person
from bench.stack import Stack
from bench.wrk import Load, wrk
from deploy.errors import CannotStart
from deploy.supervisor.processes import wait_until
from fanout.orders.dispatch import dispatcher
from storage.ports.associations import Change
from storage.stores import associations, ids, outbox
from tweets.kinds import LIKE

RUNS = 3
ACTS_A_SECOND, ACT_SECONDS = 40, 5.0
FANS = 4
GROUPS_SHOWN = 20
FLOOD = 10_000
AT_ONCE = 500
"""Likes that are sent before their orders are waited for: fewer than count as a long queue."""
EDGES_AT_ONCE = 50
WORKING_SECONDS = 120.0
READ_SECONDS, WARM_SECONDS = 3.0, 1.0
CONNECTIONS = 4
PATH = "/api/v1/me/notifications"


def measure(stack: Stack) -> Result:
    author, *fans = seeding.people(1 + FANS, prefix="fan")
    flooded, calm = seeding.people(2, prefix="liked")
    seeding.follow([(fans[0].id, author.id)])
    rows = [_of_one(stack, author, fans), _of_a_flood(stack, flooded, calm)]
    settings = {
        "acts": f"{ACTS_A_SECOND} a second for {ACT_SECONDS:.0f} s, of {FANS} people; {RUNS} runs",
        "processes": f"{stack.size.web} web of 4 threads, {stack.size.workers} workers, rate limits off",
        "pages": f"{GROUPS_SHOWN} groups; {CONNECTIONS} connections for {READ_SECONDS:.0f} s, both in turn",
    }
    return Result("notify", stack.env["STORE"], rows, settings)


def _of_one(stack: Stack, author: Person, fans: Sequence[Person]) -> Row:
    each = int(ACTS_A_SECOND * ACT_SECONDS) * RUNS * 2
    of_author = seeding.tweets([author.id], -(-each // FANS))
    own = {fan.id: seeding.tweets([fan.id], -(-each // FANS)) for fan in fans}
    likes = itertools.product(of_author, fans)
    own_likes = (
        (tweet, fan) for tweets in zip(*own.values(), strict=True) for tweet, fan in zip(tweets, fans, strict=True)
    )

    def like(turns: Iterator[tuple[int, Person]]) -> Request:
        tweet, fan = next(turns)
        return Request("like", "PUT", f"/api/v1/tweets/{tweet}/like", fan.token)

    numbers = itertools.count()

    def post() -> Request:
        body = msgspec.json.encode({"text": f"Whom does it reach? {next(numbers)}"})
        return Request("post", "POST", "/api/v1/tweets", author.token, body, 201)

    for make in (post, lambda: like(likes), lambda: like(own_likes)):
        _offered(stack, make)
    meter = Meter(stack)
    more: list[Spent] = []
    posts: list[Spent] = []
    for _ in range(RUNS):
        notified = meter.spent(lambda: _offered(stack, lambda: like(likes)))
        alone = meter.spent(lambda: _offered(stack, lambda: like(own_likes)))
        posts.append(meter.spent(lambda: _offered(stack, post)))
        more.append({group: notified[group] - alone[group] for group in GROUPS})
    return Row(
        "a notification",
        _in_all("a like, less one of one's own tweet", more),
        _in_all("a post", posts),
        at_most(0.2),
        [Figure(group, "ms", [1_000 * each[group] for each in more]) for group in GROUPS],
    )


def _offered(stack: Stack, make: Callable[[], Request]) -> float:
    offered = offer(stack.url, make, rate=ACTS_A_SECOND, seconds=ACT_SECONDS)
    if offered.errors():
        raise CannotStart(f"{offered.errors()} requests failed: what they cost says nothing.")
    return len(offered.answers)


def _in_all(name: str, spent: Iterable[Spent]) -> Figure:
    return Figure(name, "ms", [1_000 * sum(each.values()) for each in spent])


def _of_a_flood(stack: Stack, flooded: Person, calm: Person) -> Row:
    likers = [person.id for person in seeding.people(FLOOD, signed_in=0, prefix="liker")]
    of_flooded, of_calm = (seeding.tweets([person.id], GROUPS_SHOWN) for person in (flooded, calm))
    for person, tweets in ((flooded, of_flooded), (calm, of_calm)):
        for tweet in tweets:
            _like(person, tweet, likers[:1])
    for start in range(0, FLOOD, AT_ONCE):
        _like(flooded, of_flooded[-1], likers[start : start + AT_ONCE])
    loads = [[_read(stack, person) for person in (flooded, calm)] for _ in range(RUNS)]
    ours, reference = ([load[place] for load in loads] for place in (0, 1))
    return Row(
        f"a page with a group of {FLOOD:,} likes",
        Figure("p50", "ms", [each.p50_ms for each in ours]),
        Figure("of one each", "ms", [each.p50_ms for each in reference]),
        at_most(1.25),
        [
            Figure("p99", "ms", [each.p99_ms for each in ours]),
            Figure("reference p99", "ms", [each.p99_ms for each in reference]),
        ],
    )


def _like(author: Person, tweet: int, likers: Sequence[int]) -> None:
    """What likes leave in the store; and their orders, worked off."""
    changes = [Change(liker, LIKE, tweet, ids.next(), present=True) for liker in likers]
    for start in range(0, len(changes), EDGES_AT_ONCE):
        associations().apply(changes[start : start + EDGES_AT_ONCE])
    for change in changes:
        order = notify_order(change.source, tweet, [(NotificationType.LIKE, author.id)], order_id=change.op)
        if order is not None:
            outbox().add(order)
            dispatcher.send(order)
    if not wait_until(lambda: outbox().count_open(limit=1) == 0, seconds=WORKING_SECONDS):
        raise CannotStart("The workers do not come to an end of the likes.")


def _read(stack: Stack, person: Person) -> Load:
    url = stack.url + PATH
    wrk(url, connections=CONNECTIONS, seconds=WARM_SECONDS, tokens=[person.token])
    load = wrk(url, connections=CONNECTIONS, seconds=READ_SECONDS, tokens=[person.token])
    if load.errors:
        raise CannotStart(f"{load.errors} pages failed.")
    return load
