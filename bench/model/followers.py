"""How many followers the author of a tweet has: a truncated power law, Zipf's unless said otherwise.

    P(F > x) ∝ x^(1 − exponent) − largest^(1 − exponent),    smallest ≤ x ≤ largest

**Weighted by tweets**: it is the author of a tweet taken at random, not a person taken at random. Of persons
on Twitter an exponent of 2.28 was found (Kwak et al., "What is Twitter, a Social Network or a News
Media?", WWW 2010, figure 1), and the more followers somebody has, the more they tweet (figure 4);
tweets are therefore spread by a smaller exponent. With 2 each power of ten of author sizes brings as many
deliveries as the next one, so neither small authors nor large ones can be left out of account.

**Cut** where the design point says: at the whole site, which the greatest celebrities reach. **Smallest**
is what makes the mean right: so many deliveries a tweet as the design point has (`fitted`).

Treated as continuous: a fraction of a follower changes nothing that is counted here.
"""

import math
import random
from itertools import pairwise

import msgspec

SOLVER_STEPS = 100


class Followers(msgspec.Struct, frozen=True):
    """The distribution of the followers of a tweet's author."""

    smallest: float
    largest: float
    exponent: float = 2.0

    def share_above(self, followers: float) -> float:
        """The share of tweets whose author has more than so many."""
        return self._integral(0, max(followers, self.smallest), self.largest) / self._whole

    def mean(self, *, above: float = 0.0, up_to: float = math.inf) -> float:
        """Followers a tweet, counting only authors with more than `above` and at most `up_to`: 0 for the others."""
        return self._integral(1, max(above, self.smallest), min(up_to, self.largest)) / self._whole

    def quantile(self, share: float) -> float:
        """So large is the author below whom this share of tweets is written."""
        power = 1 - self.exponent
        low, high = self.smallest**power, self.largest**power
        return float((low + share * (high - low)) ** (1 / power))

    def draw(self, dice: random.Random) -> float:
        return self.quantile(dice.random())

    def bands(self, edges: list[float]) -> list[tuple[float, float]]:
        """(share of tweets, mean followers within) for authors between neighbouring edges."""
        found = []
        for low, high in pairwise(edges):
            share = self.share_above(low) - self.share_above(high)
            found.append((share, self.mean(above=low, up_to=high) / share if share > 0 else low))
        return found

    @property
    def _whole(self) -> float:
        return self._integral(0, self.smallest, self.largest)

    def _integral(self, moment: int, low: float, high: float) -> float:
        """Of x^(moment − exponent)."""
        if high <= low:
            return 0.0
        power = moment - self.exponent + 1
        if abs(power) < 1e-9:
            return math.log(high / low)
        return float((high**power - low**power) / power)


def fitted(*, mean_up_to: float, limit: float, largest: float, exponent: float = 2.0) -> Followers:
    """The distribution whose authors of up to `limit` followers have `mean_up_to` followers a tweet."""
    low, high = 1e-3, limit
    for _ in range(SOLVER_STEPS):
        middle = math.sqrt(low * high)
        if Followers(middle, largest, exponent).mean(up_to=limit) < mean_up_to:
            low = middle
        else:
            high = middle
    return Followers(low, largest, exponent)
