"""The site that capacity is planned for: the design point, and what had to be assumed beside it, with sources."""

from functools import cache

import msgspec
from msgspec import structs

from bench.model import activity, followers
from bench.model.activity import Activity
from bench.model.followers import Followers

DAY = 86_400.0


class Site(msgspec.Struct, frozen=True):
    """A day's load, and the settings that it is served with. Rates are a day's unless they say otherwise."""

    people: float = 100e6
    tweets: float = 500e6
    peak: float = 3.0
    active_share: float = 0.20
    daily_share: float = 0.10
    deliveries_a_tweet: float = 60.0
    exponent: float = 2.0
    homes_a_tweet: float = 6.0
    users_a_tweet: float = 3.0
    graph_changes: float = 0.1
    followees: float = 200.0
    visit_seconds: float = 20.0
    connected_share: float = 0.1
    active_days: float = 30.0
    push_max_followers: float = 500_000.0
    timeline_cap: float = 800.0
    shards: float = 512.0

    @property
    def tweets_a_second(self) -> float:
        """At the peak."""
        return self.tweets * self.peak / DAY

    @property
    def activity(self) -> Activity:
        return _activity(self.daily_share, self.active_share)

    @property
    def active(self) -> float:
        """People who have a timeline."""
        return self.people * self.activity.share(self.active_days)

    @property
    def share_of_followers(self) -> float:
        """Of followers, those who are active: as of all people."""
        return self.activity.share(self.active_days)

    @property
    def followers(self) -> Followers:
        """Fitted at the design point, whatever the settings are."""
        return _followers(self.deliveries_a_tweet / self.active_share, self.people, self.exponent)

    @property
    def pushed_limit(self) -> float:
        """Authors with more are merged at read."""
        return self.push_max_followers or self.people

    @property
    def tweets_of_a_person(self) -> float:
        """An active person's, a day; of authors who are merged, too."""
        return self.tweets / (self.people * self.active_share)

    @property
    def merged_authors(self) -> float:
        """Who is too big to push, as many as make their share of the tweets."""
        return self.tweets * self.followers.share_above(self.pushed_limit) / self.tweets_of_a_person

    @property
    def merged_of_a_reader(self) -> float:
        """Of whom one follows, those who are merged: from their entries a day."""
        entries = self.tweets * self.followers.mean(above=self.pushed_limit) / self.people
        return entries / self.tweets_of_a_person

    def times(self, factor: float) -> "Site":
        """So many times the people and the tweets; each of them does what they did."""
        return structs.replace(self, people=self.people * factor, tweets=self.tweets * factor)


DESIGN_DAYS = 30.0
DESIGN_LIMIT = 500_000.0


@cache
def _activity(daily_share: float, active_share: float) -> Activity:
    return activity.fitted((1, daily_share), (DESIGN_DAYS, active_share))


@cache
def _followers(pushed: float, people: float, exponent: float) -> Followers:
    return followers.fitted(mean_up_to=pushed, limit=DESIGN_LIMIT, largest=people, exponent=exponent)


DESIGN = Site()

Assumption = tuple[str, str, str]
"""What, how much, and where it is from."""


def assumptions(site: Site) -> list[Assumption]:
    """Every number that is not measured and is not a setting of the code."""
    return [*_of_people(site), *_of_authors(site), *_of_what_they_do(site)]


def _of_people(site: Site) -> list[Assumption]:
    often = site.activity
    return [
        ("people", f"{site.people:,.0f}", "design point"),
        (
            "tweets",
            f"{site.tweets:,.0f} a day, {site.tweets / DAY:,.0f}/s, {site.tweets_a_second:,.0f}/s at the peak",
            f"design point; a peak is {site.peak:g} times the mean",
        ),
        (
            "pushed deliveries",
            f"{site.deliveries_a_tweet:g} a tweet, {site.deliveries_a_tweet * site.tweets / 1e9:,.0f} billion a day",
            "design point; a delivery is an entry put into the timeline of an *active* follower",
        ),
        ("active within 30 days", f"{site.active_share:.0%}", "design point; of anybody's followers as of all people"),
        ("active within a day", f"{site.daily_share:.0%}", "assumed: half of those of a month"),
        (
            "visits of a person",
            f"{often.visits_a_day:.2f} a day; rates gamma-distributed, shape {often.shape:.4f}, "
            f"scale {often.scale_days:.4f} days",
            "fitted to the two shares above (`bench/model/activity.py`)",
        ),
    ]


def _of_authors(site: Site) -> list[Assumption]:
    spread = site.followers
    large = spread.share_above(DESIGN_LIMIT)
    return [
        (
            "followers of a tweet's author",
            f"density ∝ x^-{site.exponent:g}, {spread.smallest:.0f} to {spread.largest:,.0f}; "
            f"median {spread.quantile(0.5):.0f}, mean {spread.mean():.0f}",
            "exponent from Kwak et al. (2010), weighted by tweets; cut at the whole site, as the design point has it; "
            "the smallest fitted: authors of up to 500,000 have 300, of whom 60 are active "
            "(`bench/model/followers.py`)",
        ),
        (
            "tweets of authors above 500,000",
            f"{site.tweets * large:,.0f} a day, by {site.merged_authors:,.0f} authors",
            f"of the distribution; they tweet as often as any active person, {site.tweets_of_a_person:g} times a day",
        ),
        ("merged authors that a reader follows", f"{site.merged_of_a_reader:.0f}", "of the distribution"),
    ]


def _of_what_they_do(site: Site) -> list[Assumption]:
    return [
        (
            "home reads, user timelines",
            f"{site.homes_a_tweet:g} and {site.users_a_tweet:g} a tweet",
            "DeathStarBench's mix, 60:30:10; in 2013 Twitter named 300,000 home reads and 6,000 tweets a second",
        ),
        (
            "between two requests of a visitor",
            f"{site.visit_seconds:g} s",
            "assumed; decides how often SQL is asked",
        ),
        (
            "changes of the graph",
            f"{site.graph_changes:g} a day and active person",
            "assumed: follow, unfollow, block, mute; each has a timeline made anew",
        ),
        ("followees", f"{site.followees:g} a person", "assumed; storage of edges, size of a cold read"),
        ("`TIMELINE_SHARDS`", f"{site.shards:g}", "assumed: nodes cannot be more, and a node should have some"),
        ("connected to the live feed", f"{site.connected_share:.0%} of the active", "assumed"),
    ]
