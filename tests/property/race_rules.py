"""What happens while something else is stopped half way."""

from tests.property import acts
from tests.property.acting import PICKS, YES_OR_NO, pick
from tests.property.acts import WRITTEN
from tests.property.oracle import FOLLOWS, Fact
from tests.property.reading import read, reading
from tests.property.rules import rule
from tests.property.single_rules import GRAPH_CHANGES, READS_STOP_AT, WHOLE, WORK_STOPS_AT, SingleRules
from tests.property.world import Action

CROSSINGS_STOP_AT = ("mode read", "written", "epoch raised")
MEANWHILE: tuple[str, ...] = (
    *("post", "post", "post many", "own post", "delete", "delete", "retweet", "unfollow", "unfollow", "follow"),
    *("block", "mute", "unmute", "suspend", "redis_is_flushed", "become_inactive", "nothing"),
)


class RaceRules(SingleRules):
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
        self._look_closely()

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
