"""Who counts as active, and how often somebody comes back too late, as ACTIVE_DAYS changes.

People visit at random (Poisson), each at their own rate, and rates are spread over people by a
gamma distribution: the usual model of who is still a customer (Schmittlein, Morrison and Colombo, "Counting
Your Customers", Management Science 1987), without those who have left for good, who here are those of the very
smallest rates. Then in closed form, with shape a and scale b in days:

    active share within d days     A(d) = 1 − (b / (b + d))^a
    visits a person and day        a / b
    of those after a gap above d   A'(d) = a / b · (b / (b + d))^(a + 1)

The last one holds since whoever leaves the active ones comes back to them, in the long run: both happen as
often. It is the cold reads of a site whose timelines end after d days.
"""

import math

import msgspec

SOLVER_STEPS = 200


class Activity(msgspec.Struct, frozen=True):
    shape: float
    scale_days: float

    def share(self, days: float) -> float:
        """Of all people, those who read within the last so many days."""
        return 1 - math.exp(-self.shape * math.log1p(days / self.scale_days))

    def returns_a_day(self, days: float) -> float:
        """Visits a person and day that come after more than so many days without one."""
        return self.visits_a_day * math.exp(-(self.shape + 1) * math.log1p(days / self.scale_days))

    @property
    def visits_a_day(self) -> float:
        return self.shape / self.scale_days


def fitted(one: tuple[float, float], other: tuple[float, float]) -> Activity:
    """The activity with these two shares, each as (days, share), the fewer days first."""
    (days, share), (more_days, more_share) = one, other
    wanted = math.log(1 - more_share) / math.log(1 - share)
    low, high = 1e-9, 1e6
    for _ in range(SOLVER_STEPS):
        middle = math.sqrt(low * high)
        ratio = math.log1p(more_days / middle) / math.log1p(days / middle)
        low, high = (middle, high) if ratio < wanted else (low, middle)
    return Activity(-math.log(1 - share) / math.log1p(days / low), low)
