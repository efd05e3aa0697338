"""Protected people: what they write is for themselves and for accepted followers, at every door.

**Who is protected** stands on the account, which every page has at hand and which is never older than its newest change
(account_cache/accounts.py). **Whether somebody follows them** is read from the truth, and only of who is protected and
somebody else: so a page without protected people costs nothing here, and one with them one store read for all of them.
The answer is kept nowhere: a follow that was accepted, an unfollowing, a block hold from the next page on.

Nobody follows whom they may not: a follow is made of somebody who is not protected, or by accepting a request
(requests.py), and ends by unfollowing or a block. So home needs no question of those by whom its entries are: they
stand there as the reader follows them now.

If the store does not answer, that is `Unavailable`, and nothing is shown. docs/adr/053 has what was refused.
"""

from collections.abc import Collection, Iterable, Mapping

from accounts.entities import Account
from accounts.graph.kinds import FOLLOW
from storage.stores import associations

PAIRS_AT_ONCE = 500
"""Of whom it is asked in one read whether they follow somebody."""


def closed_among(viewer_id: int | None, people: Iterable[Account]) -> frozenset[int]:
    """Returns those of the people who are protected and whom the viewer, None for nobody, neither is nor follows.

    One store read if somebody else among them is protected and the viewer is somebody, else nothing. Raises
    `Unavailable`.
    """
    asked = {each.id for each in people if each.protected and each.id != viewer_id}
    if viewer_id is None or not asked:
        return frozenset(asked)
    return frozenset(asked.difference(associations().find(viewer_id, FOLLOW, sorted(asked))))


def closed_to_each(people: Mapping[int, Collection[Account]]) -> dict[int, frozenset[int]]:
    """Returns `closed_among` of each viewer's people, by viewer. One store read for each PAIRS_AT_ONCE that it asks
    about."""
    asked = {
        viewer_id: {each.id for each in of_viewer if each.protected and each.id != viewer_id}
        for viewer_id, of_viewer in people.items()
    }
    pairs = [(viewer_id, FOLLOW, each) for viewer_id, others in asked.items() for each in others]
    found = {
        (edge.source, edge.target)
        for start in range(0, len(pairs), PAIRS_AT_ONCE)
        for edge in associations().find_pairs(pairs[start : start + PAIRS_AT_ONCE])
    }
    return {
        viewer_id: frozenset(each for each in others if (viewer_id, each) not in found)
        for viewer_id, others in asked.items()
    }
