"""Suspensions that the store shows and SQL does not, as after SQL was restored from an earlier moment.

Whoever is suspended is withheld from counts by marks in the store, and whoever is restored leaves them there until an
order has removed them. Which of both it was, the log of staff tells, which is SQL's as the suspension is: a mark that
is younger than the last restoration that SQL knows of was made under a suspension that SQL has forgotten.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db.models import Max

from accounts.graph.kinds import SHUT_OUT
from accounts.people.selectors import shut_out_among
from accounts.sql import sql_or_unavailable
from accounts.staff_rows import StaffAction
from storage.ids.snowflakes import id_us
from storage.ports.outbox import SETTLED_US
from storage.stores import associations
from tweets.entities import Tweet
from tweets.kinds import WITHHELD, WITHHELD_ENTRY, WITHHELD_TWEET
from tweets.stores.port import tweet_store

OF_PEOPLE = (SHUT_OUT, WITHHELD)
"""Marks whose source is the person."""
OF_TWEETS = (WITHHELD_TWEET, WITHHELD_ENTRY)
"""Marks whose source is a tweet of the person's, or a retweet of one."""
MARKS = (*OF_PEOPLE, *OF_TWEETS)
NEVER = datetime.fromtimestamp(0, UTC)


def marked_at_large(owners: Iterable[tuple[int, str]]) -> dict[int, bool]:
    """Returns whom marks of these owners, each with its kind, withhold though SQL has nobody suspended there.

    True for whom SQL has forgotten that they are suspended, False for whose restoration it knows of. Two SQL queries,
    and store reads. Raises `Unavailable`.
    """
    given = set(owners)
    of_tweets = _by_author({owner for owner, kind in given if kind in OF_TWEETS})
    people = {owner for owner, kind in given if kind in OF_PEOPLE} | of_tweets.keys()
    at_large = people - shut_out_among(people)
    newest: dict[int, int] = {}
    for person in at_large:
        _note(newest, person, max(_newest(person, OF_PEOPLE), of_tweets.get(person, 0)))
    restored = _restored_at(newest)
    return {person: id_us(op) > _us(restored.get(person, NEVER)) + SETTLED_US for person, op in newest.items()}


def _by_author(ids: set[int]) -> dict[int, int]:
    """The newest mark of these tweets, by the author who is withheld.

    A retweet is also marked because its original was deleted: then nothing is known of the original's author, and
    neither once it is back, of marks from before.
    """
    found: dict[int, int] = {}
    tweets = _standing(ids)
    originals = _standing({each.retweet_of_id for each in tweets.values() if each.retweet_of_id is not None})
    for tweet in tweets.values():
        if tweet.retweet_of_id is None:
            _note(found, tweet.author_id, _newest(tweet.id, (WITHHELD_TWEET,)))
        elif original := originals.get(tweet.retweet_of_id):
            op = _newest(tweet.id, (WITHHELD_ENTRY,))
            if not original.changed_op or id_us(op) > id_us(original.changed_op) + SETTLED_US:
                _note(found, original.author_id, op)
    return found


def _standing(ids: set[int]) -> dict[int, Tweet]:
    tweets = tweet_store().get_many(sorted(ids)) if ids else {}
    return {each.id: each for each in tweets.values() if not each.deleted}


def _newest(source: int, kinds: Iterable[str]) -> int:
    """The operation that made the source's newest mark of these kinds; 0 if none stands."""
    marks = [edge for kind in kinds for edge in associations().newest_targets(source, kind, limit=1)]
    return max((edge.op for edge in marks), default=0)


def _note(newest: dict[int, int], person: int, op: int) -> None:
    if op:
        newest[person] = max(op, newest.get(person, 0))


@sql_or_unavailable()
def _restored_at(people: Iterable[int]) -> dict[int, datetime]:
    entries = StaffAction.objects.filter(subject_kind="person", subject_id__in=people, action="restore")
    return dict(entries.order_by().values_list("subject_id").annotate(Max("at")))


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
