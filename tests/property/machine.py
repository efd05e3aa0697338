"""What may happen to home timelines: one method for each thing, and how often and with what it is drawn.

A rule picks by small numbers among what is there, so that any sequence of steps means something,
also with some of them left out (interleaving.py).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from deploy.valkey import Valkey
from fanout.orders import sweeper
from storage.errors import Unavailable
from storage.web.paging import PageRequest
from tests.property import acts
from tests.property.acts import WRITTEN
from tests.property.broker import Message
from tests.property.oracle import FOLLOWS, SUSPENDED, Fact
from tests.property.reading import audit_everybody, catch_up, read, reading, scroll
from tests.property.rules import rule
from tests.property.world import Action, World

PEOPLE = 4
STOPPED_AT_ONCE = 4
WHOLE = PageRequest(limit=20)

T = TypeVar("T")

PICKS = range(12)
YES_OR_NO = (False, True)
GRAPH_CHANGES = ("unfollow", "unfollow", "follow", "block", "unblock", "mute", "unmute")
READS_STOP_AT = (
    *("opened", "graph read", "pulled", "pulled", "pulled", "exclusions read", "bodies read", "cards read"),
    *("lists opened", "lists pulled"),
)
WORK_STOPS_AT = ("followers read", "followers read", "pushed", "mode read", "epoch raised")
CROSSINGS_STOP_AT = ("mode read", "written", "epoch raised")
MEANWHILE: tuple[str, ...] = (
    *("post", "post", "post many", "own post", "delete", "delete", "retweet", "unfollow", "unfollow", "follow"),
    *("block", "mute", "unmute", "suspend", "redis_is_flushed", "become_inactive", "nothing"),
)


class Timelines:
    """One world of a few people, and its oracle."""

    def __init__(self, server: Valkey, threads: ThreadPoolExecutor) -> None:
        self.world = World(server, threads, PEOPLE)
        self.oracle = self.world.oracle
        self.broker = self.world.broker
        self.until_redis_returns = 0

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

    @rule(who=PICKS, place=("unwritten", WRITTEN))
    def post_slowly(self, who: int, place: str) -> None:
        """Unwritten, its id is old when it is written."""
        self._act(acts.post(self.world, self._actor(who), place=place))

    @rule(group="retweets", who=PICKS, what=PICKS, slow=YES_OR_NO)
    def retweet(self, who: int, what: int, slow: bool) -> None:
        if self.oracle.entries:
            self._act(acts.retweet(self.world, self._actor(who), self._entry(what), place=_written(slow)))

    @rule(group="retweets", who=PICKS, what=PICKS, slow=YES_OR_NO)
    def undo_a_retweet(self, who: int, what: int, slow: bool) -> None:
        person = self._actor(who)
        mine = [each for each in self.oracle.entries.values() if each.author == person and each.original]
        if mine:
            self._act(acts.undo(self.world, person, pick(what, mine[::-1]).shown, place=_written(slow)))

    @rule(2, what=PICKS, slow=YES_OR_NO)
    def delete(self, what: int, slow: bool) -> None:
        if self.oracle.entries:
            self._delete(self._entry(what), slow=slow)

    @rule(3, group="graph", change=GRAPH_CHANGES, who=PICKS, whom=PICKS, slow=YES_OR_NO)
    def change_the_graph(self, change: str, who: int, whom: int, slow: bool) -> None:
        person = self._actor(who)
        self._act(getattr(acts, change)(self.world, person, self._other(person, whom), place=_written(slow)))

    @rule(group="suspensions", who=PICKS, slow=YES_OR_NO)
    def suspend(self, who: int, slow: bool) -> None:
        self._suspend(self._actor(who), slow=slow)

    @rule(group="suspensions", who=PICKS, slow=YES_OR_NO)
    def restore(self, who: int, slow: bool) -> None:
        gone = [each for each in self.world.people if self.oracle.holds(Fact(SUSPENDED, each))]
        if gone:
            self._act(acts.restore(self.world, self._present()[0], pick(who, gone), place=_written(slow)))

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

    # Two at once -----------------------------------------------------------------------------

    @rule(8, who=PICKS, place=READS_STOP_AT, meanwhile=MEANWHILE, whom=PICKS, worked=YES_OR_NO, seen=YES_OR_NO)
    def race_a_rebuild(self, *, who: int, place: str, meanwhile: str, whom: int, worked: bool, seen: bool) -> None:
        """Somebody's cold timeline is read, and before that goes on something else happens."""
        reader = self._actor(who)
        self._become_inactive(reader)
        self._race(reading(self.world, reader, WHOLE, place=place), reader, meanwhile, whom, worked=worked, seen=seen)

    @rule(8, which=PICKS, who=PICKS, place=WORK_STOPS_AT, meanwhile=MEANWHILE, whom=PICKS, seen=YES_OR_NO)
    def race_a_delivery(self, *, which: int, who: int, place: str, meanwhile: str, whom: int, seen: bool) -> None:
        """A worker has read a page of followers, of whom one goes."""
        if not self.broker.waiting:
            self._act(acts.post(self.world, self._actor(whom)))
        if self.broker.waiting:
            message = self.broker.waiting.pop(-1 - which % len(self.broker.waiting))
            self._race(self._working(message, place), self._actor(who), meanwhile, whom, worked=False, seen=seen)

    @rule(5, change=GRAPH_CHANGES, who=PICKS, whom=PICKS, meanwhile=MEANWHILE, worked=YES_OR_NO, seen=YES_OR_NO)
    def race_a_change(self, *, change: str, who: int, whom: int, meanwhile: str, worked: bool, seen: bool) -> None:
        """A change of the graph is written, and nobody knows."""
        person = self._actor(who)
        action = getattr(acts, change)(self.world, person, self._other(person, whom), place=WRITTEN)
        self._race(action, person, meanwhile, whom, worked=worked, seen=seen)

    @rule(3, group="celebrities", line=(0, 1), author=PICKS, who=PICKS, place=CROSSINGS_STOP_AT, meanwhile=MEANWHILE)
    def race_a_crossing(self, line: int, author: int, who: int, place: str, meanwhile: str) -> None:
        """An author becomes too big to push, or is pushed again, and something happens half way."""
        self.world.move_the_line(line)
        crossing = pick(author, self.world.people)
        action = Action("cross", lambda: self.world.count_followers(crossing), person=crossing, place=place)
        self._race(action, self._actor(who), meanwhile, author, worked=True, seen=bool(who % 2))

    @rule(4, which=PICKS)
    def go_on(self, which: int) -> None:
        if self.world.stopped:
            self.world.go_on(pick(which, self.world.stopped))

    @rule(2, group="the line", most=(0, 1, 2))
    def move_the_line(self, most: int) -> None:
        """Authors with more followers than that are pulled from their next order on; 0 for nobody."""
        self.world.move_the_line(most)

    # Backends --------------------------------------------------------------------------------

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
        """The audit takes what is under way for a difference, so it looks only when nothing is."""
        if not self.world.stopped and not self.world.redis_is_down and not self.world.must_recover:
            audit_everybody(self.world)

    # How -------------------------------------------------------------------------------------

    def _act(self, action: Action) -> None:
        if len(self.world.stopped) >= STOPPED_AT_ONCE:
            action.place = None
        self.world.act(action)

    def _race(self, action: Action, person: int, meanwhile: str, whom: int, *, worked: bool, seen: bool) -> None:
        """While `action` is stopped something happens to `person`, is `worked` off, and they have `seen` it."""
        self._act(action)
        self._meanwhile(meanwhile, person, whom)
        if worked:
            self.work_all()
        if seen:
            read(self.world, person, WHOLE)
        if action in self.world.stopped:
            self.world.go_on(action)
        if person in self._present():
            read(self.world, person, WHOLE)
        self.look_closely()

    def _meanwhile(self, what: str, person: int, whom: int) -> None:
        """Nothing, where there is nobody or nothing to do it to."""
        other = self._other(person, whom)
        match what:
            case "redis_is_flushed":
                self.world.flush()
            case "become_inactive":
                self._become_inactive(person)
            case "delete" | "unfollow":
                self._loses(what, person, whom)
            case "own post":
                self._act(acts.post(self.world, person))
            case "suspend":
                self._suspend(other)
            case "follow" | "block" | "mute" | "unmute":
                self._act(getattr(acts, what)(self.world, person, other))
            case _ if other in self._present():
                self._writes(what, other, whom)

    def _loses(self, what: str, person: int, which: int) -> None:
        """An entry of somebody's home, or one whom they follow."""
        if what == "delete" and (home := self.oracle.home(person)):
            self._delete(pick(which, home).entry.id)
        followees = [each for each in self.world.people if self.oracle.holds(Fact(FOLLOWS, person, each))]
        if what == "unfollow" and followees:
            self._act(acts.unfollow(self.world, person, pick(which, followees)))

    def _writes(self, what: str, person: int, which: int) -> None:
        if what == "retweet" and self.oracle.entries:
            self._act(acts.retweet(self.world, person, self._entry(which)))
        for _ in range({"post": 1, "post many": 5}.get(what, 0)):
            self._act(acts.post(self.world, person))

    def _delete(self, entry: int, *, slow: bool = False) -> None:
        if not self.oracle.holds(Fact(SUSPENDED, self.oracle.entries[entry].author)):
            self._act(acts.delete(self.world, entry, place=_written(slow)))

    def _suspend(self, person: int, *, slow: bool = False) -> None:
        others = [each for each in self._present() if each != person]
        if len(others) > 1:
            self._act(acts.suspend(self.world, others[0], person, place=_written(slow)))

    def _become_inactive(self, person: int) -> None:
        if not self.world.redis_is_down:
            self.world.expire_timeline(person)

    def _work(self, message: Message, place: str | None = None) -> None:
        self._act(self._working(message, place))

    def _working(self, message: Message, place: str | None) -> Action:
        return Action(f"work {message[0].kind}", lambda: self.broker.work(message), place=place)

    def _present(self) -> list[int]:
        return [each for each in self.world.people if not self.oracle.holds(Fact(SUSPENDED, each))]

    def _actor(self, who: int) -> int:
        """Someone who is not suspended; for odd picks, someone of whom something is stopped."""
        people = self._present()
        focus = [each.person for each in self.world.stopped if each.person in people]
        return pick(who, focus) if focus and who % 2 else pick(who // 2, people)

    def _other(self, person: int, whom: int) -> int:
        return pick(whom, [each for each in self.world.people if each != person])

    def _entry(self, what: int) -> int:
        """For small picks one of the newest."""
        return pick(what, sorted(self.oracle.entries)[::-1])


def pick(number: int, among: Sequence[T]) -> T:
    return among[number % len(among)]


def _written(slow: bool) -> str | None:
    return WRITTEN if slow else None
