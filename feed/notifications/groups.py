"""From notices to what people are shown: who it was, how many, and the tweet, as all of it stands now.

A notice says that there is something; the rest is read where it is kept. So a like that was taken back, a tweet that
was deleted, somebody who was blocked, muted or suspended are not shown, without anybody having to take a notice back,
and a notice of which nothing is left is left out. So is a mention, reply or quote with a word that one has muted
(muted_words.py). What one does oneself is no news.

**Bounded.** Of a tweet with a million likes the newest LOOKED_AT are read, once for all groups of a page; if nobody of
them may be shown, the newest LOOKED_AT_LAST of those that have so many. Who is hidden beyond these is taken for all.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from accounts.account_cache.accounts import accounts_by_id
from accounts.entities import Account, Viewer
from accounts.graph.counts import FOLLOWERS
from accounts.graph.exclusions import Visibility
from accounts.graph.kinds import FOLLOW, FOLLOW_REQUEST
from accounts.graph.notifications import TYPE, NotificationType
from accounts.people.profiles import UserOut, user_out
from feed.notifications.muted_words import NONE, muted_words
from storage.ids.snowflakes import created_at
from storage.ports.associations import Association, End
from storage.ports.notices import Notice
from storage.ports.ranges import Range
from storage.redis.count_cache import counts_of
from storage.stores import associations
from tweets.kinds import LIKE, RETWEET
from tweets.reading.hydration import Hydrated, TweetOut, hydrated

PEOPLE_SHOWN = 3
LOOKED_AT, LOOKED_AT_LAST = 10, 200
"""People of a group: most have nobody hidden among the newest ten."""

EDGES: Mapping[NotificationType, str] = {
    NotificationType.LIKE: LIKE,
    NotificationType.RETWEET: RETWEET,
    NotificationType.FOLLOW: FOLLOW,
    NotificationType.FOLLOW_REQUEST: FOLLOW_REQUEST,
}
"""The associations, from people to what a group is about, that say who is in it."""


class NotificationOut(msgspec.Struct, frozen=True):
    """What somebody is notified of, as they see it: the newest people and how many there are."""

    id: str
    type: str
    people: list[UserOut]
    people_count: int
    tweet: TweetOut | None
    created_at: str
    read: bool


class Groups(msgspec.Struct, frozen=True):
    """What is shown of some notices, by their places; `unreadable` are places whose tweet is not there yet."""

    shown: dict[int, NotificationOut]
    unreadable: list[int]


def groups_of(notices: Sequence[Notice], viewer: Viewer, *, read_up_to: int, are_counted: bool = True) -> Groups:
    """Returns what the viewer, who is their recipient, is shown of the notices.

    Without `are_counted` no group says how many are in it, for who only wants to know which groups there are.

    One hydration of their tweets, a store read for each type of group among them, the accounts, and for followers
    their count; once more who is in groups of which nobody may be shown. The viewer's own account comes along with the
    others, and says whether words are muted. Raises `Unavailable`.
    """
    visibility = Visibility(viewer.id, without_muted=True)
    found = _tweets_of(notices, viewer, visibility)
    tweets = {int(tweet.id): tweet for tweet in found.tweets}
    standing = [each for each in notices if each.kind.alone or each.subject in tweets]
    people = _People(viewer, visibility, {each: _author(each, tweets) for each in standing if each.kind.once})
    people.look(standing)
    muted = muted_words(viewer.id, people.reader) if people.are_single else NONE
    shown: dict[int, NotificationOut] = {}
    for each in standing:
        if each.kind.once and muted.are_in(tweets[each.subject]):
            continue
        if theirs := people.of(each):
            tweet = tweets.get(each.subject)
            count = _count(_type(each), tweet, viewer) if are_counted else 0
            shown[each.place] = _shown(each, theirs, tweet, count, read_up_to)
    return Groups(shown, [each.place for each in notices if each.subject in found.unreadable])


def _tweets_of(notices: Iterable[Notice], viewer: Viewer, visibility: Visibility) -> Hydrated:
    ids = list(dict.fromkeys(each.subject for each in notices if not each.kind.alone))
    return hydrated(ids, viewer=viewer, visibility=visibility)


def _type(notice: Notice) -> NotificationType:
    return TYPE[notice.kind.name]


def _author(notice: Notice, tweets: Mapping[int, TweetOut]) -> int:
    return int(tweets[notice.subject].author.id)


class _People:
    """Who may be shown of each notice, newest first."""

    def __init__(self, viewer: Viewer, visibility: Visibility, single: Mapping[Notice, int]) -> None:
        self._viewer = viewer
        self._visibility = visibility
        self._single = single
        self._shown: dict[Notice, list[UserOut]] = {}
        self.are_single = bool(single)
        """Whether any notice is about a tweet of its own."""
        self.reader: Account | None = None
        """The viewer's account as it is now, once people of such notices were looked at; on a socket theirs is old."""

    def look(self, notices: Sequence[Notice]) -> None:
        """Looks at the newest of each; at more of those of which there are more and nobody can be shown."""
        groups = [each for each in notices if each not in self._single]
        found = {each: [person] for each, person in self._single.items()} | _newest(groups, self._viewer, LOOKED_AT)
        self._keep(found)
        deeper = [each for each in groups if not self._shown[each] and len(found[each]) == LOOKED_AT]
        if deeper:
            self._keep(_newest(deeper, self._viewer, LOOKED_AT_LAST))

    def of(self, notice: Notice) -> list[UserOut]:
        return self._shown[notice]

    def _keep(self, found: Mapping[Notice, Sequence[int]]) -> None:
        ids = {person for people in found.values() for person in people}
        accounts = accounts_by_id(ids | {self._viewer.id} if self.are_single else ids)
        self.reader = accounts.get(self._viewer.id)
        hidden = self._visibility.hidden_among(ids) | {self._viewer.id}
        # What somebody protected likes and retweets their followers alone are told; that they follow, whom they do.
        acted = {each for notice, people in found.items() if not notice.kind.alone for each in people}
        unseen = hidden | self._visibility.unseen_among({each: accounts[each] for each in acted if each in accounts})
        seen = {each: user_out(account) for each, account in accounts.items() if not account.suspended}
        for notice, people in found.items():
            left_out = hidden if notice.kind.alone else unseen
            self._shown[notice] = [seen[each] for each in people if each in seen and each not in left_out]


def _newest(notices: Sequence[Notice], viewer: Viewer, limit: int) -> dict[Notice, list[int]]:
    """The newest people of each group. A store read for each type among them."""
    found: dict[Notice, list[int]] = {}
    for kind in dict.fromkeys(map(_type, notices)):
        targets = {each: each.subject or viewer.id for each in notices if _type(each) is kind}
        ranges = {target: Range(None, None, limit) for target in targets.values()}
        edges: Mapping[int, Sequence[Association]] = associations().newest_of_many(EDGES[kind], End.TARGET, ranges)
        found |= {notice: [edge.source for edge in edges[target]] for notice, target in targets.items()}
    return found


def _shown(
    notice: Notice, people: list[UserOut], tweet: TweetOut | None, count: int, read_up_to: int
) -> NotificationOut:
    return NotificationOut(
        id=str(notice.place),
        type=str(_type(notice)),
        people=people[:PEOPLE_SHOWN],
        people_count=max(count, len(people[:PEOPLE_SHOWN])),
        tweet=tweet,
        created_at=created_at(notice.place),
        read=notice.place <= read_up_to,
    )


def _count(kind: NotificationType, tweet: TweetOut | None, viewer: Viewer) -> int:
    """How many there are: what everybody is shown of a tweet or a person, without the recipient's own mark."""
    if kind is NotificationType.FOLLOW:
        return counts_of(viewer.id, [FOLLOWERS])[0]
    if kind is NotificationType.FOLLOW_REQUEST:
        return associations().count_sources(viewer.id, FOLLOW_REQUEST)
    if tweet is None or tweet.viewer is None:
        return 1
    if kind is NotificationType.LIKE:
        return tweet.counts.likes - tweet.viewer.liked
    if kind is NotificationType.RETWEET:
        return tweet.counts.retweets - tweet.viewer.retweeted
    return 1
