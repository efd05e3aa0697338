"""People as one viewer may see them: a person by name, and the lists of who follows whom."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from accounts.account_cache.accounts import UNHEARD, Heard, accounts_by_id, heard
from accounts.entities import Account, Viewer
from accounts.graph import exclusions, follows
from accounts.graph.exclusions import Exclusions, Visibility
from accounts.graph.kinds import BLOCK, BLOCKED_BY, FOLLOW, FOLLOW_REQUEST, MUTE
from accounts.graph.protection import closed_among
from accounts.people.names import account_by_name, accounts_by_name
from accounts.people.profiles import UserOut, unseen_user_out, user_out
from storage.errors import NotFound
from storage.ports.associations import Association, End
from storage.ports.ranges import Range
from storage.redis.reads import NOTHING, Read, together
from storage.stores import associations
from storage.web.asking import Shown
from storage.web.paging import Page, PageRequest
from storage.web.together import Pages, full_pages
from storage.web.walking import Stored, full_page


def visible_account(username: str, viewer: Viewer | None) -> Account:
    """Returns the person of that name, in any case.

    Raises `NotFound` when there is none, or they are suspended or block the viewer; whoever
    blocks can still be looked up by the viewer who blocks them, or nobody could be unblocked.
    Staff still see who is suspended. Costs as `accounts_by_name`, and one store read for somebody signed in.
    """
    person = account_by_name(username)
    shut_out = person.suspended and not exclusions.sees_suspended(viewer)
    if shut_out or (viewer is not None and follows.has_edge(viewer.id, BLOCKED_BY, person.id)):
        raise no_such_person()
    return person


class Ahead(msgspec.Struct, frozen=True):
    """What a page of somebody's needs of Redis before it can be asked for, and that depends on no answer."""

    known: Heard
    excluded: Exclusions | None


def ahead(viewer_id: int | None) -> Read[Ahead]:
    """Returns a read of it, for the viewer whom a token claims, or for nobody. Three commands at most."""
    excluded = NOTHING if viewer_id is None else exclusions.read(viewer_id)
    return together(heard(), excluded).map(lambda both: Ahead(*both))


def listed_account(username: str, viewer: Viewer | None, visibility: Visibility, first: Ahead | None) -> Account | None:
    """Returns the person of that name whose page is asked for; None of somebody whom the viewer hides, or who is
    protected and not followed: it is empty.

    Does as `visible_account`, and has `visibility` know the viewer's exclusions. Costs nothing with `first` while this
    process has the account in memory; without, what `accounts_by_name` and `Visibility` cost. One store read
    more if either of the two blocks the other, or the person is protected.
    """
    person = account_by_name(username, UNHEARD if first is None else first.known)
    if person.suspended and not exclusions.sees_suspended(viewer):
        raise no_such_person()
    if first is not None:
        visibility.know(first.excluded)
    if viewer is not None and visibility.hidden_among({person.id}):
        if follows.has_edge(viewer.id, BLOCKED_BY, person.id):
            raise no_such_person()
        return None
    unseen = visibility.unseen_among({person.id: person}, suspended=exclusions.sees_suspended(viewer))
    return None if unseen else person


def no_such_person() -> NotFound:
    return NotFound("There is no such person.")


def visible_accounts(usernames: Sequence[str], viewer: Viewer | None) -> list[Account | None]:
    """Returns the people of these names, in any case, in their order; None for whom `visible_account` does not find.

    Costs as `accounts_by_name`, and one store read for somebody signed in.
    """
    people = accounts_by_name(usernames)
    return _seen_by(viewer, [people.get(each.lower()) for each in usernames])


def visible_accounts_by_id(ids: Sequence[int], viewer: Viewer | None) -> list[Account | None]:
    """Does as `visible_accounts`, of people by their ids; costs as `accounts_by_id`."""
    people = accounts_by_id(ids)
    return _seen_by(viewer, [people.get(each) for each in ids])


def _seen_by(viewer: Viewer | None, people: Sequence[Account | None]) -> list[Account | None]:
    ids = {each.id for each in people if each is not None}
    blocking = associations().find(viewer.id, BLOCKED_BY, list(ids)) if viewer and ids else {}
    staff = exclusions.sees_suspended(viewer)
    return [
        each if each is not None and each.id not in blocking and (staff or not each.suspended) else None
        for each in people
    ]


def followers_page(username: str, viewer: Viewer | None, request: PageRequest) -> Page[UserOut]:
    """Returns a page of who follows the person, the newest follow first. Raises `NotFound` as `visible_account` does.

    Suspended people and those hidden from the viewer are left out and made up for. One store
    read a page besides the accounts and the viewer's exclusions. A place is the follow's operation.
    """
    person = visible_account(username, viewer)
    return people_page(
        viewer, request, Listing(person.id, FOLLOW, associations().newest_sources, lambda edge: edge.source)
    )


def following_page(username: str, viewer: Viewer | None, request: PageRequest) -> Page[UserOut]:
    """Returns a page of whom the person follows; otherwise as `followers_page`."""
    person = visible_account(username, viewer)
    return people_page(
        viewer, request, Listing(person.id, FOLLOW, associations().newest_targets, lambda edge: edge.target)
    )


def blocks_page(viewer: Viewer, request: PageRequest) -> Page[UserOut]:
    """Returns a page of whom the viewer blocks, the newest block first; costs and places as of `followers_page`.

    Everybody whom the viewer may unblock is there: who is suspended, or blocks the viewer in turn, by their
    username alone. Only who is gone from the database is left out.
    """
    return _own_page(viewer, BLOCK, request)


def mutes_page(viewer: Viewer, request: PageRequest) -> Page[UserOut]:
    """Returns a page of whom the viewer mutes; otherwise as `blocks_page`."""
    return _own_page(viewer, MUTE, request)


def follow_requests_page(viewer: Viewer, request: PageRequest) -> Page[UserOut]:
    """Returns a page of who asks to follow the viewer, the newest request first; costs and places as `followers_page`.

    Suspended people, and those with whom the viewer shares a block, are left out and made up for.
    """
    return people_page(
        viewer, request, Listing(viewer.id, FOLLOW_REQUEST, associations().newest_sources, lambda edge: edge.source)
    )


class NewestEdges(Protocol):
    def __call__(
        self, owner: int, kind: str, /, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[Association]: ...


class Listing:
    """One end's edges of a kind by time, and who stands at the other end of those that were fetched."""

    def __init__(self, owner: int, kind: str, read: NewestEdges, other_end: Callable[[Association], int]) -> None:
        self._owner = owner
        self._kind = kind
        self._read = read
        self._other_end = other_end
        self.people: dict[int, int] = {}

    def fetch(self, *, before: int | None, after: int | None, limit: int) -> list[int]:
        edges = self._read(self._owner, self._kind, before=before, after=after, limit=limit)
        self.people |= {edge.op: self._other_end(edge) for edge in edges}
        return [edge.op for edge in edges]


def people_page(
    viewer: Viewer | None, request: PageRequest, listing: Listing, *, of_acts: bool = False
) -> Page[UserOut]:
    """Returns a page of a listing's people, those suspended or hidden from the viewer made up for; `of_acts` as in
    `visible_people`.

    One store read besides the accounts and the viewer's exclusions. A place is the edge's operation.
    """
    visible = visible_people(viewer, of_acts=of_acts)

    def show(places: Sequence[int]) -> Shown[UserOut]:
        people = visible([listing.people[place] for place in places])
        return Shown([(place, people[listing.people[place]]) for place in places if listing.people[place] in people])

    return full_page(request, Stored(listing.fetch), show)


def people_pages(
    owners: Collection[int],
    kind: str,
    end: End,
    viewer: Viewer | None,
    request: PageRequest,
    *,
    of_acts: bool = False,
) -> Pages[UserOut]:
    """Returns the page of each owner's listing of edges of that kind, as `people_page` makes one.

    As many rounds of reads as for one owner, however many they are. An owner is not looked at: whoever asks has
    seen that the viewer may see them.
    """
    visible = visible_people(viewer, of_acts=of_acts)
    met: dict[tuple[int, int], int] = {}

    def fetch(ranges: Mapping[int, Range]) -> dict[int, list[int]]:
        found = associations().newest_of_many(kind, end, ranges)
        for owner, edges in found.items():
            met.update({(owner, edge.op): edge.target if end is End.SOURCE else edge.source for edge in edges})
        return {owner: [edge.op for edge in edges] for owner, edges in found.items()}

    def show(asked: Mapping[int, Sequence[int]]) -> dict[int, Shown[UserOut]]:
        people = visible({met[owner, place] for owner, places in asked.items() for place in places})
        return {
            owner: Shown([(place, people[met[owner, place]]) for place in places if met[owner, place] in people])
            for owner, places in asked.items()
        }

    return full_pages(owners, request, fetch, show)


def visible_people(viewer: Viewer | None, *, of_acts: bool = False) -> Callable[[Collection[int]], dict[int, UserOut]]:
    """Returns what tells, for one page, whom of some people the viewer may see in a list, and as what.

    A list `of_acts` tells what they did with their tweets: not of protected people whom the viewer does not follow.
    The viewer's exclusions are read now. What is returned costs `accounts_by_id`, and a store read if it asks of
    somebody protected.
    """
    excluded = exclusions.exclusions_of(viewer.id) if viewer is not None else None

    def visible(ids: Collection[int]) -> dict[int, UserOut]:
        accounts = accounts_by_id(ids)
        hidden = (
            exclusions.hidden_among(viewer.id, excluded, ids, home=False)
            if viewer is not None and excluded is not None
            else frozenset()
        )
        if of_acts:
            hidden |= closed_among(viewer.id if viewer is not None else None, accounts.values())
        return {
            each: user_out(account)
            for each, account in accounts.items()
            if not account.suspended and each not in hidden
        }

    return visible


def _own_page(viewer: Viewer, kind: str, request: PageRequest) -> Page[UserOut]:
    """Two store reads besides the accounts: the listing, and who of the page blocks the viewer."""
    listing = Listing(viewer.id, kind, associations().newest_targets, lambda edge: edge.target)

    def show(places: Sequence[int]) -> Shown[UserOut]:
        ids = [listing.people[place] for place in places]
        accounts = accounts_by_id(ids)
        blocking = associations().find(viewer.id, BLOCKED_BY, ids)
        shown = [
            (place, (unseen_user_out if each in blocking or accounts[each].suspended else user_out)(accounts[each]))
            for place, each in zip(places, ids, strict=True)
            if each in accounts
        ]
        return Shown(shown)

    return full_page(request, Stored(listing.fetch), show)
