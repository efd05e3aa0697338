"""Withheld: what stands in the store and is not counted, as it may not be shown.

A count is of edges or tweets, and must say what its list shows to a stranger: nobody suspended, no retweet whose
original is gone. Looking each of them up whenever something is counted would cost as much as the list.
Instead, a *withheld* edge leads from each of them to where it would be counted. Orders make these edges when
somebody is suspended, or an original deleted, and remove them when the person is restored
(tweets/writing/withholding.py); who counts takes away those that lead here: one more number in a read
that is made anyway, and 0 for nearly everybody.

**A withheld edge is a hint, the truth decides.** What it stands for may have gone meanwhile: somebody suspended is
unfollowed, a reply of theirs deleted by staff. So a withheld edge counts only while that
stands, and nobody who removes something has to know that it was withheld.

For example, Ada follows three people, of whom Bob is suspended: an edge (Bob, shut-out, Ada) is made.

1. She follows three, one is withheld, and she follows him: the count is 2.
2. She unfollows him: she follows two, the one withheld is not among them, and the count is 2.
3. He is restored, and the withheld edge removed: she follows two, and the count is 2.

**Bounded.** Of more than CHECKED withheld in one place, as where thousands of bought followers were suspended, so
many are looked up (those with the smallest ids), and the others taken to be like them: the count is then approximate.
Hints at a tweet of which nothing stands any more are removed where that is seen, some at each count, so the count
comes near the truth again.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial

from storage.errors import Unavailable
from storage.ports.associations import MAX_CHANGES, Change
from storage.stores import associations, ids

CHECKED = 200
"""As many reads of single rows take Cassandra some ten milliseconds."""


Lead = tuple[int, int]
"""Source and target of a withheld edge."""
Stand = Callable[[Sequence[Lead]], Collection[Lead]]
"""Returns those of them of which what they stand for is there."""


def withheld_of(kind: str, totals: Mapping[int, int], stand: Stand) -> dict[int, int]:
    """Returns of how many of the `totals` that are withheld from each target would be counted if they were not.

    Exact up to CHECKED each. Costs nothing if there are none, else a store read, and those of `stand`, for all
    targets together.
    """
    lacking = [target for target, total in totals.items() if total]
    if not lacking:
        return dict.fromkeys(totals, 0)
    found = associations().first_sources(lacking, kind, limit=CHECKED)
    standing = Counter(target for _, target in stand([(each, target) for target in lacking for each in found[target]]))
    scale = partial(scaled, limit=CHECKED)
    return {target: scale(total, found[target], standing[target]) if total else 0 for target, total in totals.items()}


def checked(target: int, kind: str, *, limit: int) -> list[int]:
    """Returns the sources to look up, at most `limit`. One store read."""
    return associations().bucket_sources(target, kind, 0, limit=limit)


def scaled(total: int, some: Sequence[int], standing: int, *, limit: int) -> int:
    """Returns how many of `total` stand, when `standing` of `some`, at most `limit`, do."""
    return standing * total // len(some) if len(some) >= limit and total > len(some) else standing


def prune(target: int, kind: str, stale: Sequence[int], stand: Callable[[Sequence[int]], Collection[int]]) -> None:
    """Removes hints that stand for nothing, at most MAX_CHANGES, and makes again those that stand by then.

    `stand` says which of some sources stand. Raises nothing: what is left is found by the next count. A read, a
    write and what `stand` costs.
    """
    some = stale[:MAX_CHANGES]
    if not some:
        return
    with suppress(Unavailable):
        _put(target, kind, some, present=False)
        again = list(stand(some))
        if again:
            _put(target, kind, again, present=True)


def _put(target: int, kind: str, sources: Sequence[int], *, present: bool) -> None:
    store = associations()
    last = store.last_changes([(each, kind, target) for each in sources])
    store.apply([Change(each.source, kind, target, ids.next(above=each.op), present=present) for each in last])
