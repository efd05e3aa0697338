"""`make rolling`: every process is replaced, one after the other, while people use the site.

    make rolling STORE=cassandra

docker-compose.yml's commands run behind the shipped front (stack.py). Twenty people ask a request a second each, four
of them post, and all listen to their homes on a socket. Meanwhile each process is told to end, as a container is, and
its successor is started when it has ended, in the order of docs/operations.md; in the end the front loads its
configuration anew. Then nothing may be missing: no request failed, no acknowledged tweet is away from a follower's
home, every socket was told of every tweet, no socket was away for longer than AWAY_SECONDS or ended by a process
without 1012, and no process had to be killed. Exit status 1 otherwise. REDIS_TIMEOUT_SECONDS and
CASSANDRA_TIMEOUT_SECONDS are passed on, for a machine that is busy with something else.
"""

import os
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import mkdtemp

from deploy.errors import CannotStart
from deploy.supervisor.processes import wait_until
from tests.e2e.runs import PATIENT
from tests.production.people import Person
from tests.production.stack import DOORS, ORDER, Production

PEOPLE, AUTHORS = 20, 4
AWAY_SECONDS = 2.0
SERVICE_RESTART = 1012
"""By which a live process that ends sends its sockets away."""
SETTLED_SECONDS = 5.0
"""Between a process that is well again and the next that is told to end, and before and after all of them."""
DELIVERED_SECONDS = 120.0
MOST_LINES = 60


def rolled(production: Production, order: tuple[str, ...] = ORDER) -> list[str]:
    """Replaces those processes under load; prints what was seen, and returns what must not be."""
    people = [Person(production.front, number, writes=number <= AUTHORS) for number in range(1, PEOPLE + 1)]
    authors = people[:AUTHORS]
    for person in people:
        for author in authors:
            person.follow(author)
    for person in people:
        person.listen()
    if not wait_until(lambda: all(person.subscribed.is_set() for person in people), seconds=DELIVERED_SECONDS):
        raise CannotStart("Not every socket was subscribed.")
    began = time.monotonic()
    for person in people:
        person.begin()
    time.sleep(SETTLED_SECONDS)
    for name in order:
        _replace(production, name)
    codes = [list(person.told.codes) for person in people]
    os.kill(production.front.child.pid, signal.SIGHUP)
    time.sleep(SETTLED_SECONDS)
    for person in people:
        person.rest()
    seconds = time.monotonic() - began
    found = _missing(people, authors) + [f"{name} had to be killed" for name in production.late]
    for person in people:
        person.leave()
    _print(people, order, seconds)
    faults = _faults(people)
    return found + faults + _sent_away(codes, order) + (_of_sockets(production.front.lines) if faults else [])


def _replace(production: Production, name: str) -> None:
    begun = time.monotonic()
    status = production.end(name)
    ended = time.monotonic()
    production.begin(name)
    production.wait(name)
    well = time.monotonic()
    took = f"ended after {ended - begun:.1f} s (status {status}), well again {well - ended:.1f} s later"
    print(f"{name}: {took}", flush=True)
    time.sleep(SETTLED_SECONDS if name in DOORS else 0)


def _missing(people: list[Person], authors: list[Person]) -> list[str]:
    """Tweets that are not in a home, and such that a socket has not told."""
    posted = {tweet for author in authors for tweet in author.told.posted}
    followed = {person.name: posted - set(person.told.posted) for person in people}
    wait_until(lambda: all(followed[each.name] <= each.told.heard for each in people), seconds=DELIVERED_SECONDS)
    found = []
    for person in people:
        if lost := posted - person.home():
            found.append(f"{len(lost)} tweets are not in the home of {person.name}: {sorted(lost)[:3]}")
        if unheard := followed[person.name] - person.told.heard:
            found.append(f"{len(unheard)} tweets were not told to {person.name}'s socket: {sorted(unheard)[:3]}")
    return found


def _faults(people: list[Person]) -> list[str]:
    failed = [each for person in people for each in person.told.failed]
    long = [away for person in people for away in person.told.away if away > AWAY_SECONDS]
    gaps = sum(person.told.gaps for person in people)
    errors = Counter(code for person in people for code in person.told.errors)
    lives = {p.name: p.told.lives for p in people if max(p.told.away, default=0.0) > AWAY_SECONDS}
    return [
        *failed,
        *([f"how these ended: {lives}"] if lives else []),
        *([f"{len(long)} times a socket was away for longer than {AWAY_SECONDS} s: {max(long):.1f}"] if long else []),
        *([f"{gaps} gaps"] if gaps else []),
        *([f"errors that sockets told: {dict(errors)}"] if errors else []),
    ]


def _of_sockets(lines: str) -> list[str]:
    """What the front says of sockets, for whoever asks why one was away: which process had it, and its answer."""
    return [f"the front: {line}" for line in lines.splitlines() if '"path":"/ws/feed"' in line][-MOST_LINES:]


def _sent_away(codes: list[list[int | None]], order: tuple[str, ...]) -> list[str]:
    """What is wrong with how each person's socket was ended while only the product's processes were replaced."""
    ended = Counter(code for each in codes for code in each)
    others = {code: number for code, number in ended.items() if code != SERVICE_RESTART}
    found = [f"sockets were ended without {SERVICE_RESTART}: {others}"] if others else []
    untouched = sum(not each for each in codes)
    if {"live", "live-2"} <= {*order} and untouched:
        found.append(f"{untouched} sockets were ended by neither live process")
    return found


def _print(people: list[Person], order: tuple[str, ...], seconds: float) -> None:
    told = [person.told for person in people]
    requests, posted = sum(each.requests for each in told), sum(len(each.posted) for each in told)
    times = sorted(each for one in told for each in one.slow)
    away = [each for one in told for each in one.away]
    codes = Counter(code for one in told for code in one.codes)
    failed = sum(len(each.failed) for each in told)
    half, most = (times[len(times) * percent // 100] * 1000 for percent in (50, 99))
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}"
    print(f"{len(order)} processes and the front in {seconds:.0f} s; {machine}")
    print(f"{requests} requests ({requests / seconds:.1f} a second), {failed} failed; {posted} tweets posted")
    print(f"median {half:.0f} ms, p99 {most:.0f} ms, slowest {times[-1] * 1000:.0f} ms")
    ended = f"ended {sum(codes.values())} times ({dict(codes)})"
    print(f"{len(people)} sockets, {ended}, away for {max(away, default=0.0):.2f} s at most", flush=True)


def main() -> int:
    """Exit status 0 if nothing is missing."""
    store = os.environ.get("STORE") or "cassandra"
    given = {name: os.environ[name] for name in PATIENT if name in os.environ}
    directory = Path(mkdtemp(prefix="rolling-"))
    try:
        with Production(directory, store=store, **given) as production:
            found = rolled(production)
    except CannotStart as error:
        print(error)
        return 2
    if found:
        print(f"Logs are in {directory}")
    else:
        shutil.rmtree(directory)
    print("\n".join(found) or "0 failed, 0 lost, 0 holes")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
