"""What a look-up of several things lists in its query: `ids=1,2,3`, or `ids=1&ids=2`, or both mixed.

400  neither of the parameters that may list them, or both; nothing, more than MAX_LIMIT, or one of them twice
"""

from collections.abc import Sequence

from rest_framework.request import Request

from storage.errors import BadRequest
from storage.web.paging import MAX_LIMIT, Page, PageRequest
from storage.web.rest import T, collection, parse_id


def given_one_of(request: Request, *names: str) -> str:
    """Returns which of the parameters the query has. Raises `BadRequest` unless it is one of them alone."""
    given = [name for name in names if name in request.query_params]
    if len(given) != 1:
        which = " or ".join(names)
        raise BadRequest(f"Say which by {which}" + (", not by both." if given else "."), code="bad_look_up")
    return given[0]


def listed(request: Request, name: str) -> list[str]:
    """Returns what the parameter lists, in its order. Raises `BadRequest` for nothing, or more than MAX_LIMIT."""
    text = ",".join(request.query_params.getlist(name))
    if not text:
        raise BadRequest(f"{name} lists nothing.", code="nothing_listed")
    things = text.split(",")
    if len(things) > MAX_LIMIT:
        raise BadRequest(f"{name} lists {len(things)}; {MAX_LIMIT} are allowed.", code="too_many")
    return things


def listed_ids(request: Request) -> list[int]:
    """Returns what `ids` lists, in its order. Raises `BadRequest`, for a malformed id, and for one that is there twice,
    as well."""
    ids = [parse_id(each) for each in listed(request, "ids")]
    refuse_repeated("ids", ids)
    return ids


def refuse_repeated(name: str, things: Sequence[object]) -> None:
    """Raises `BadRequest` if something is listed twice: who asks would not find as much in the answer."""
    seen: set[object] = set()
    for each in things:
        if each in seen:
            raise BadRequest(f"{name} lists {each} twice.", code="repeated")
        seen.add(each)


def found(request: Request, items: list[T]) -> dict[str, object]:
    """Returns the envelope of what was found: that of a collection, of which there is no other page."""
    return collection(request, PageRequest(limit=MAX_LIMIT), Page(items, older=None, newer=None))
