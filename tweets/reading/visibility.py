"""Whose tweets one viewer may see, for the time of one page.

The exclusions are asked for once: along with a round trip that is made anyway (`commands`,
`take`), or, if nobody did that, when they are first needed.
"""

from collections.abc import Collection, Sequence
from typing import Any

from accounts.graph import exclusions
from accounts.graph.exclusions import Exclusions
from storage.redis.reads import Command


class Visibility:
    """What a viewer (None for nobody signed in) may see; in the home timeline muted people are hidden, too.

    Make a new one for each page: it does not notice changes after its exclusions were read.
    """

    def __init__(self, viewer_id: int | None, *, home: bool = False) -> None:
        self._viewer_id = viewer_id
        self._home = home
        self._exclusions: Exclusions | None = None

    def commands(self) -> list[Command]:
        """What to send along with a round trip, for `take`; nothing once the exclusions are known."""
        if self._viewer_id is None or self._exclusions is not None:
            return []
        return [exclusions.read_command(self._viewer_id)]

    def take(self, answers: Sequence[Any] | None) -> None:
        """Takes the answers to `commands`; None when Redis did not answer, so that it is not asked again.

        Store reads if Redis does not know. Raises `Unavailable`.
        """
        if self._viewer_id is None or self._exclusions is not None:
            return
        if answers is None:
            self._exclusions = exclusions.from_store(self._viewer_id)
        else:
            cached = exclusions.decode(answers[0])
            self._exclusions = cached if cached is not None else exclusions.refreshed(self._viewer_id)

    def hidden_among(self, author_ids: Collection[int]) -> frozenset[int]:
        """The authors among these whose tweets must not be shown. Raises `Unavailable`.

        Costs nothing once the exclusions are known, for nearly everybody (see exclusions.hidden_among).
        """
        if self._viewer_id is None or not author_ids:
            return frozenset()
        if self._exclusions is None:
            self._exclusions = exclusions.exclusions_of(self._viewer_id)
        return exclusions.hidden_among(self._viewer_id, self._exclusions, author_ids, home=self._home)
