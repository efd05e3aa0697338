"""What people and workers do one thing at a time, each to its end or stopped on the way."""

from fanout.orders import sweeper
from storage.errors import Unavailable
from storage.web.paging import PageRequest
from tests.property import acts
from tests.property.acting import PICKS, YES_OR_NO, Acting, pick, written
from tests.property.acts import WRITTEN
from tests.property.oracle import SUSPENDED, Fact
from tests.property.reading import catch_up, read, reading, scroll
from tests.property.rules import rule
from tests.property.world import UNWRITTEN

WHOLE = PageRequest(limit=20)
GRAPH_CHANGES = ("unfollow", "unfollow", "follow", "block", "unblock", "mute", "unmute")
READS_STOP_AT = (
    *("opened", "graph read", "pulled", "pulled", "pulled", "exclusions read", "bodies read", "accounts read"),
    *("lists opened", "lists pulled"),
)
WORK_STOPS_AT = ("followers read", "followers read", "pushed", "mode read", "epoch raised")


class SingleRules(Acting):
    # People ----------------------------------------------------------------------------------

    @rule(3, who=PICKS, times=(1, 1, 2, 5))
    def post(self, who: int, times: int) -> None:
        for _ in range(times):
            self._act(acts.post(self.world, self._actor(who)))

    @rule(who=PICKS, what=PICKS)
    def reply(self, who: int, what: int) -> None:
        if self.oracle.entries:
            self._act(acts.post(self.world, self._actor(who), reply_to=self._entry(what)))

    @rule(who=PICKS)
    def continue_a_thread(self, who: int) -> None:
        mine = [each.id for each in self.oracle.entries.values() if each.author == self._actor(who)]
        if mine:
            self._act(acts.post(self.world, self._actor(who), reply_to=mine[-1]))

    @rule(who=PICKS, what=PICKS)
    def quote(self, who: int, what: int) -> None:
        if self.oracle.entries:
            self._act(acts.post(self.world, self._actor(who), quote_of=self._entry(what)))

    @rule(who=PICKS, place=(UNWRITTEN, WRITTEN))
    def post_slowly(self, who: int, place: str) -> None:
        """Unwritten, its id is old when it is written."""
        self._act(acts.post(self.world, self._actor(who), place=place))

    @rule(group="retweets", who=PICKS, what=PICKS, slow=YES_OR_NO)
    def retweet(self, who: int, what: int, slow: bool) -> None:
        if self.oracle.entries:
            self._act(acts.retweet(self.world, self._actor(who), self._entry(what), place=written(slow)))

    @rule(group="retweets", who=PICKS, what=PICKS, slow=YES_OR_NO)
    def undo_a_retweet(self, who: int, what: int, slow: bool) -> None:
        person = self._actor(who)
        mine = [each for each in self.oracle.entries.values() if each.author == person and each.original]
        if mine:
            self._act(acts.undo(self.world, person, pick(what, mine[::-1]).shown, place=written(slow)))

    @rule(2, what=PICKS, slow=YES_OR_NO)
    def delete(self, what: int, slow: bool) -> None:
        if self.oracle.entries:
            self._delete(self._entry(what), slow=slow)

    @rule(3, group="graph", change=GRAPH_CHANGES, who=PICKS, whom=PICKS, slow=YES_OR_NO)
    def change_the_graph(self, change: str, who: int, whom: int, slow: bool) -> None:
        person = self._actor(who)
        self._act(getattr(acts, change)(self.world, person, self._other(person, whom), place=written(slow)))

    @rule(group="suspensions", who=PICKS, slow=YES_OR_NO)
    def suspend(self, who: int, slow: bool) -> None:
        self._suspend(self._actor(who), slow=slow)

    @rule(group="suspensions", who=PICKS, slow=YES_OR_NO)
    def restore(self, who: int, slow: bool) -> None:
        gone = [each for each in self.world.people if self.oracle.holds(Fact(SUSPENDED, each))]
        if gone:
            self._act(acts.restore(self.world, self._present()[0], pick(who, gone), place=written(slow)))

    # Reading ---------------------------------------------------------------------------------

    @rule(who=PICKS, limit=range(1, 16))
    def read(self, who: int, limit: int) -> None:
        read(self.world, self._actor(who), PageRequest(limit=limit))

    @rule(2, group="reads")
    def everybody_reads(self) -> None:
        for person in self._present():
            read(self.world, person, WHOLE)

    @rule(2, group="reads", who=PICKS, limit=range(2, 6))
    def scroll_to_the_end(self, who: int, limit: int) -> None:
        scroll(self.world, self._actor(who), limit)

    @rule(who=PICKS, what=PICKS, limit=range(1, 6))
    def read_since(self, who: int, what: int, limit: int) -> None:
        catch_up(self.world, self._actor(who), self._entry(what * 2) if self.oracle.entries else 1, limit)

    @rule(2, who=PICKS, place=READS_STOP_AT, cold=YES_OR_NO)
    def read_slowly(self, who: int, place: str, cold: bool) -> None:
        person = self._actor(who)
        if cold:
            self._become_inactive(person)
        self._act(reading(self.world, person, WHOLE, place=place))

    # Tasks -----------------------------------------------------------------------------------

    @rule(2, which=PICKS)
    def work(self, which: int) -> None:
        if self.broker.waiting:
            self._work(self.broker.waiting.pop(which % len(self.broker.waiting)))

    @rule(3)
    def work_all(self) -> None:
        """With the parts that this hands out."""
        for _ in range(100):
            if not self.broker.waiting:
                return
            self._work(self.broker.waiting.pop(0))

    @rule(2, which=PICKS, place=WORK_STOPS_AT)
    def work_slowly(self, which: int, place: str) -> None:
        if self.broker.waiting:
            self._work(self.broker.waiting.pop(-1 - which % len(self.broker.waiting)), place)

    @rule(2, which=PICKS, place=(None, *WORK_STOPS_AT))
    def work_again(self, which: int, place: str | None) -> None:
        if self.broker.worked:
            self._work(self.broker.worked[-1 - which % len(self.broker.worked)], place)

    @rule(which=PICKS)
    def lose_a_message(self, which: int) -> None:
        if self.broker.waiting:
            self.broker.waiting.pop(which % len(self.broker.waiting))

    @rule()
    def sweep(self) -> None:
        try:
            sweeper.sweep()
        except Unavailable:
            assert self.world.redis_is_down
