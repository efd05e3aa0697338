"""Whose tweets one viewer may see, for the time of one page.

The exclusions are asked for once: along with a round trip that is made anyway (`read`, and then
`know` or `know_without_redis`), or, if nobody did that, when they are first needed.
"""

from collections.abc import Collection

from accounts.graph import exclusions
from accounts.graph.exclusions import Exclusions
from storage.redis.reads import NOTHING, Read


class Visibility:
    """What a viewer (None for nobody signed in) may see; in the home timeline muted people are hidden, too.

    Make a new one for each page: it does not notice changes after its exclusions were read.
    """

    def __init__(self, viewer_id: int | None, *, home: bool = False) -> None:
        self._viewer_id = viewer_id
        self._home = home
        self._exclusions: Exclusions | None = None

    def read(self) -> Read[Exclusions | None]:
        """What to send along with a round trip, for `know`; nothing once the exclusions are known."""
        if self._viewer_id is None or self._exclusions is not None:
            return NOTHING
        return exclusions.read(self._viewer_id)

    def know(self, cached: Exclusions | None) -> None:
        """Takes what `read` said. Store reads if Redis did not know. Raises `Unavailable`."""
        if self._viewer_id is not None and self._exclusions is None:
            self._exclusions = cached if cached is not None else exclusions.refreshed(self._viewer_id)

    def know_without_redis(self) -> None:
        """Instead of `know` when Redis did not answer, so that it is not asked again. Store reads."""
        if self._viewer_id is not None and self._exclusions is None:
            self._exclusions = exclusions.from_store(self._viewer_id)

    def hidden_among(self, author_ids: Collection[int]) -> frozenset[int]:
        """The authors among these whose tweets must not be shown. Raises `Unavailable`.

        Costs nothing once the exclusions are known, for nearly everybody (see exclusions.hidden_among).
        """
        if self._viewer_id is None or not author_ids:
            return frozenset()
        if self._exclusions is None:
            self._exclusions = exclusions.exclusions_of(self._viewer_id)
        return exclusions.hidden_among(self._viewer_id, self._exclusions, author_ids, home=self._home)
