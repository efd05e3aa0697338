"""Searching for people: by the beginning of a name, whom one follows first, without whom one may not see."""

import re

from accounts.entities import Viewer
from accounts.graph.kinds import FOLLOW
from accounts.graph.listings import visible_people
from accounts.people.profiles import UserOut
from accounts.people.search import first_named, people_named
from storage.errors import BadRequest
from storage.stores import associations
from storage.web.paging import Page, PageRequest, empty_page

QUERY_MAX = 100
"""Characters of a query: both names are shorter."""
FOLLOWED = 5_000
"""Of more whom somebody follows these come first, and the others where their names stand."""
ROUNDS = 5
"""Reads for a page from which people are left out: after that it is short, and its cursor goes on."""

NO_NAME = re.compile("[\0\ud800-\udfff]")
"""What stands in no name, and can be asked of no database: NUL, and halves of characters."""


def people_found(query: str, viewer: Viewer | None, request: PageRequest) -> Page[UserOut]:
    """Returns a page of the people one of whose names begins with the query, in any case; an @ before it is cut.

    Whom the viewer follows come first, then by username, then by display name. Suspended people, and those with whom
    the viewer shares a block, are left out. A place is the person's id; the list is read downwards only: where
    somebody at whom a page ended is followed, suspended, or no longer, the next one goes on from where they stand now.
    Costs what `people_named` does, ROUNDS times at most; for somebody signed in a store read, an SQL query if they
    follow anybody, and their exclusions; the accounts.

    Raises `BadRequest` for an empty query, one above QUERY_MAX, and a page upwards; `Unavailable`.
    """
    text = _checked(query)
    if request.after is not None:
        raise BadRequest("People are found from the first to the last: give a cursor, and no since.", code="bad_cursor")
    if NO_NAME.search(text):
        return empty_page(request)
    followed = associations().targets(viewer.id, FOLLOW, limit=FOLLOWED) if viewer is not None else []
    first = first_named(text, followed)
    visible = visible_people(viewer)
    shown: list[tuple[int, UserOut]] = []
    behind = request.before
    for _ in range(ROUNDS):
        found = people_named(text, first, after=behind, limit=request.limit + 1 - len(shown))
        people = visible(found.people)
        shown += [(each, people[each]) for each in found.people if each in people]
        behind = found.behind
        if behind is None or len(shown) > request.limit:
            break
    page = shown[: request.limit]
    older = page[-1][0] if len(shown) > request.limit else behind
    return Page([person for _, person in page], older=older, newer=None, places=[place for place, _ in page])


def _checked(query: str) -> str:
    text = query.strip().removeprefix("@")
    if not text:
        raise BadRequest("Say what the names of the people begin with: q.", code="bad_query")
    if len(text) > QUERY_MAX:
        raise BadRequest(f"q has at most {QUERY_MAX} characters.", code="bad_query")
    return text
