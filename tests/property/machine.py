"""What may happen to home timelines: one method for each thing, and how often and with what it is drawn.

The rules stand in three classes, each on top of the one before: what happens by itself
(single_rules.py), what happens at once (race_rules.py), and here what happens to Redis.
What a seed means depends on their order.
"""

from tests.property import acts
from tests.property.acting import PEOPLE, PICKS
from tests.property.race_rules import RaceRules
from tests.property.reading import audit_everybody, read, scroll
from tests.property.rules import rule
from tests.property.single_rules import WHOLE


class Timelines(RaceRules):
    """One world of a few people, and its oracle."""

    def people_meet(self, strangers: set[tuple[int, int]], active: set[int], tweets: int) -> None:
        """Nearly everybody follows everybody, has written something, and some have looked."""
        people = self.world.people
        pairs = [(one, two) for one in range(PEOPLE) for two in range(PEOPLE) if one != two]
        self.world.begin_with([(people[one], people[two]) for one, two in pairs if (one, two) not in strangers])
        for person in people * tweets:
            self._act(acts.post(self.world, person))
        self.work_all()
        for each in sorted(active):
            read(self.world, people[each], WHOLE)

    @rule(group="ends", who=PICKS)
    def become_inactive(self, who: int) -> None:
        self._become_inactive(self._actor(who))

    @rule(group="ends", kind=("tweet", "exclusions", "account"))
    def caches_end(self, kind: str) -> None:
        self.world.evict(kind)

    @rule(group="backends")
    def redis_is_flushed(self) -> None:
        self.world.flush()

    @rule(group="backends")
    def redis_restarts(self) -> None:
        if not self.world.redis_is_down:
            self.world.restart()

    @rule(group="backends", steps=range(1, 6))
    def redis_goes(self, steps: int) -> None:
        """And returns after a few steps."""
        if not self.world.redis_is_down:
            self.world.recover()
            self.world.redis_goes()
            self.until_redis_returns = steps

    @rule(group="backends")
    def recover(self) -> None:
        if self.world.must_recover:
            self.world.recover()

    def after_each_step(self) -> None:
        """An outage lasts a few steps, and so does what it has left behind."""
        self.until_redis_returns -= 1
        if self.until_redis_returns < 0 and self.world.redis_is_down:
            self.world.redis_returns()
        if self.until_redis_returns < -2 and self.world.must_recover:
            self.world.recover()

    def end_well(self) -> None:
        """Everything goes on, is worked off, and everybody sees what they must."""
        while self.world.stopped:
            self.world.go_on(self.world.stopped[0])
        if self.world.redis_is_down:
            self.world.redis_returns()
        self.world.recover()
        self.world.work_everything_off()
        audit_everybody(self.world)
        for person in self._present():
            scroll(self.world, person, 5)

    @rule(2)
    def look_closely(self) -> None:
        self._look_closely()
