"""What a client may have on its screen from one stream: the entries that it was sent, and those of before.

A tweet that is deleted, or an author who is suspended, takes entries along that came to the client by others:
retweets, each under an id of its own. So a stream remembers which entry shows what.

For example, Cleo follows Bob, who has retweeted Ada's tweet 7 as 9, and Cleo's client was sent 9. Ada deletes 7:
`leave(7)` answers 9, and that is what the client is told.

Bounded: the newest KEPT entries. By tracemalloc, a fifth of them retweets, 200 cost 56 KB and 500 some 140 KB where
no other socket of the process has them; what several have is there once (tweets/reading/showing.py), at 16 KB for 200.
"""

from collections.abc import Iterable, Mapping, Sequence, Set

from tweets.reading.showing import Showing

KEPT = 500
"""More than anybody scrolls back to, and 140 KB at most."""


class Screen:
    """The entries of one stream. Not thread-safe: it belongs to the event loop."""

    def __init__(self) -> None:
        self._entries: dict[int, Showing] = {}
        """By their ids, in the order in which they came."""
        self._retweets: dict[int, list[int]] = {}
        """Which of them retweet a tweet, by its id."""
        self._told: dict[int, None] = {}
        """Entries that were deleted, and of which the client knows; the newest KEPT."""
        self._filled = 0
        """The newest entry that is here without having been sent."""
        self._filled_again: frozenset[int] = frozenset()
        """Those above it that are not sent either: of pages behind a `gap`."""

    def fill(self, showings: Sequence[Showing]) -> None:
        """Adds what stands in the collection, whoever may see it: the client may have it from pages. Repeatable."""
        added = [each for each in showings if each.entry_id not in self._entries]
        if self._entries:
            self._filled_again = (self._filled_again & self._entries.keys()) | {each.entry_id for each in added}
        else:
            self._filled = max((each.entry_id for each in added), default=self._filled)
        self.put(added)

    def put(self, showings: Iterable[Showing]) -> None:
        """Adds entries, the newest last; in place of the oldest, if there are too many."""
        for showing in showings:
            if showing.entry_id in self._entries:
                continue
            self._entries[showing.entry_id] = showing
            if showing.tweet_id != showing.entry_id:
                self._retweets.setdefault(showing.tweet_id, []).append(showing.entry_id)
            if len(self._entries) > KEPT:
                self._remove(next(iter(self._entries)))

    def shows(self, tweet_id: int) -> bool:
        """Returns whether an entry is, or retweets, the tweet. Two look-ups."""
        return tweet_id in self._entries or tweet_id in self._retweets

    def shows_any_by(self, authors: Set[int]) -> bool:
        """Returns whether an entry is by, or retweets, one of the authors. Looks at every entry: 0.1 ms at most."""
        entries = self._entries.values()
        return any(each.author_id in authors or each.tweet_author_id in authors for each in entries)

    def authors(self) -> set[int]:
        """Returns everybody whose suspension takes an entry away."""
        entries = self._entries.values()
        return {each.author_id for each in entries} | {each.tweet_author_id for each in entries}

    def leave(self, tweet_id: int, *, unseen: bool = False) -> list[int]:
        """Takes away what a deleted tweet takes along; returns the entries' ids, which the client is now to be told.

        `unseen`: the tweet itself is told though it is not here, unless the client knows already.
        """
        itself = tweet_id in self._entries or (unseen and tweet_id not in self._told)
        entries = [*([tweet_id] if itself else []), *self._retweets.get(tweet_id, [])]
        for each in entries:
            self._remove(each)
            self._told[each] = None
        while len(self._told) > KEPT:
            del self._told[next(iter(self._told))]
        return entries

    def leave_by(self, authors: Set[int]) -> list[int]:
        """Takes away what is by, or retweets, suspended people; returns the entries' ids.

        They may be restored, their entries be sent again, and be deleted after that: none counts as deleted here.
        """
        return [each.entry_id for each in self._take_by(authors)]

    def leave_protected(self, since: Mapping[int, int]) -> list[int]:
        """Takes away what is by, or retweets, these people, who are protected since an operation each.

        Returns the ids of what was made before it, or sent, in their order: of what is later and was not sent, nobody
        else ever had the id.
        """

        def before(author_id: int, made: int) -> bool:
            return author_id not in since or made < since[author_id]

        return [
            each.entry_id
            for each in self._take_by(since.keys())
            if (each.entry_id > self._filled and each.entry_id not in self._filled_again)
            or (before(each.author_id, each.entry_id) and before(each.tweet_author_id, each.tweet_id))
        ]

    def _take_by(self, authors: Set[int]) -> list[Showing]:
        entries = self._entries.values()
        gone = [each for each in entries if each.author_id in authors or each.tweet_author_id in authors]
        for each in gone:
            self._remove(each.entry_id)
        return gone

    def _remove(self, entry_id: int) -> None:
        showing = self._entries.pop(entry_id, None)
        if showing is None or showing.tweet_id == entry_id:
            return
        others = [each for each in self._retweets[showing.tweet_id] if each != entry_id]
        if others:
            self._retweets[showing.tweet_id] = others
        else:
            del self._retweets[showing.tweet_id]
