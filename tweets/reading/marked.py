"""Pages of the tweets that somebody marked."""

from collections.abc import Sequence

from storage.stores import associations
from storage.web.asking import Shown
from storage.web.paging import Page, PageRequest
from storage.web.walking import Stored, full_page
from tweets.reading.hydration import Hydrate, TweetOut


class Marked:
    """A listing of the tweets that somebody marked, newest mark first: a place is the mark's operation."""

    def __init__(self, person_id: int, kind: str) -> None:
        self._person_id = person_id
        self._kind = kind
        self._tweets: dict[int, int] = {}

    def page(self, request: PageRequest, hydrate: Hydrate) -> Page[TweetOut]:
        """Returns a full page of it. One store read and one round of hydration unless much of it is hidden."""

        def show(places: Sequence[int]) -> Shown[TweetOut]:
            marked = [(place, self._tweets[place]) for place in places]
            found = hydrate([each for _, each in marked])
            shown = {int(tweet.id): tweet for tweet in found.tweets}
            return Shown(
                [(place, shown[each]) for place, each in marked if each in shown],
                [place for place, each in marked if each in found.unreadable],
            )

        return full_page(request, Stored(self._fetch), show)

    def _fetch(self, *, before: int | None, after: int | None, limit: int) -> list[int]:
        edges = associations().newest_targets(self._person_id, self._kind, before=before, after=after, limit=limit)
        self._tweets |= {edge.op: edge.target for edge in edges}
        return [edge.op for edge in edges]
