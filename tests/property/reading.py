"""Reading home timelines, each page of which must be exactly what the oracle says."""

from collections.abc import Sequence

from feed.operations.audit import Person, Report, audit
from feed.timelines.home import home_page
from storage.web.paging import Page, PageRequest
from tests.property.oracle import Seen, page_above, page_below
from tests.property.world import Action, World
from tweets.reading.hydration import TweetOut

PAGES = 80
"""More than any scrolling here takes."""


def reading(world: World, person: int, request: PageRequest, *, place: str | None = None) -> Action:
    viewer = world.viewer(person)
    return Action("read", lambda: home_page(viewer, request), person=person, place=place)


def read(world: World, person: int, request: PageRequest) -> Page[TweetOut]:
    """One page, compared."""
    page = reading(world, person, request).run()
    assert isinstance(page, Page)
    seen = [int(tweet.id) for tweet in page.items]
    home = world.oracle.home(person)
    if request.after is None:
        _compare_below(world, person, home, seen, request, more=page.older is not None)
    else:
        _compare_above(world, person, home, seen, request, newer=page.newer or 0)
    return page


def scroll(world: World, person: int, limit: int) -> None:
    """From the newest to the first, page by page."""
    before = None
    for _ in range(PAGES):
        before = read(world, person, PageRequest(limit=limit, before=before)).older
        if before is None:
            return
    raise AssertionError(f"{name(world, person)} scrolls without end")


def catch_up(world: World, person: int, after: int, limit: int) -> None:
    """From somewhere up to the newest, page by page."""
    for _ in range(PAGES):
        page = read(world, person, PageRequest(limit=limit, after=after))
        if not page.items:
            return
        assert page.newer is not None
        after = page.newer
    raise AssertionError(f"{name(world, person)} reads up without end")


def audit_everybody(world: World) -> None:
    """By the product's own audit, to which orders may be open and nothing else under way."""
    people = [Person(each, name(world, each)) for each in world.people]
    chunks = audit(people, Report(), repair=False, sleep=_at_once)
    wrong = [
        f"{finding.person.username}: {each.fault} {names(world, [each.entry_id])}"
        for findings in chunks
        for finding in findings
        for each in finding.differences
    ]
    assert not wrong, f"the audit finds {wrong}"


def name(world: World, person: int) -> str:
    """A, B, C …"""
    return chr(ord("A") + world.people.index(person))


def names(world: World, entries: Sequence[int]) -> list[str]:
    """Each entry by its author and its place among all."""
    places = {each: place for place, each in enumerate(sorted(world.oracle.entries))}
    return [f"{name(world, world.oracle.entries[each].author)}{places[each]}" for each in entries]


def _compare_below(
    world: World, person: int, home: Sequence[Seen], seen: list[int], request: PageRequest, *, more: bool
) -> None:
    expected = page_below(home, seen, request.before, request.limit)
    _compare(world, person, seen, expected.ids)
    assert expected.more in (None, more), f"{name(world, person)} sees that there is {'more' if more else 'no more'}"


def _compare_above(
    world: World, person: int, home: Sequence[Seen], seen: list[int], request: PageRequest, *, newer: int
) -> None:
    assert request.after is not None
    _compare(world, person, seen, page_above(home, seen, request.after, request.limit).ids)
    highest = max(seen, default=request.after)
    passed = [each.entry.id for each in home if each.sure and highest < each.entry.id <= newer]
    assert not passed, f"{name(world, person)} reads up and passes over {names(world, passed)}"


def _compare(world: World, person: int, seen: list[int], expected: list[int]) -> None:
    assert seen == expected, f"{name(world, person)} sees {names(world, seen)} in place of {names(world, expected)}"


def _at_once(_seconds: float) -> None:
    """Nothing else runs, so there is nothing to wait for."""
