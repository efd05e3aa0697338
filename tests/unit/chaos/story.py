"""What some people did, one thing a second, for tests of the oracle of `make chaos`."""

from tests.chaos.oracle import Entry, Item, Reading, expected_home
from tests.chaos.record import Outcome, Record
from tests.chaos.stream import WRITING, Action, Kind

ADA, BOB, CLEO = 0, 1, 2
PEOPLE = {"ada": ADA, "bob": BOB, "cleo": CLEO}


class Story:
    """Acknowledged actions, one a second."""

    def __init__(self) -> None:
        self.record = Record()
        self.now = 100.0
        self.number = 0

    def __call__(
        self,
        person: int,
        kind: Kind,
        target: int = -1,
        outcome: Outcome = Outcome.ACKNOWLEDGED,
        *,
        requested: bool = False,
    ) -> int:
        """The number of the action; a tweet's id is 1,000 times that."""
        self.number += 1
        self.now += 1
        action = Action(self.number, 0, person, kind, target)
        self.record.begin(action)
        tweet_id = 1000 * self.number if kind in WRITING else None
        self.record.end(action, outcome, begun=self.now - 0.5, ended=self.now, tweet_id=tweet_id, requested=requested)
        return self.number

    def entries(self) -> list[Entry]:
        """All tweets, and all retweets under ids that follow their actions."""
        tweets = [Entry(each.id or 0, each.author, each, False) for each in self.record.tweets.values()]
        retweets = [
            Entry(int(fact.ended * 10_000), key[1], self.record.tweets[key[2]], True)
            for key, fact in self.record.facts.items()
            if key[0] is Kind.RETWEET and fact.value
        ]
        return tweets + retweets

    def home(self, reader: int) -> list[int]:
        return [entry.tweet.number for entry in expected_home(self.record, reader, self.entries())]

    def faults(self, reader: int, *items: Item, last: bool = True) -> list[str]:
        """Of a page that is read a second after all that happened."""
        return Reading(self.record, PEOPLE, reader, self.now + 1).faults(items, last=last)
