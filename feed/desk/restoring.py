"""What the desk offers of a tweet that is deleted: who deleted it, and restoring it, to whom that is."""

from typing import Any

from accounts.entities import Account
from accounts.models import User
from accounts.staff.roles import Right, may, may_touch_what_is_of
from feed.desk.lines import person_line
from storage.errors import Refused
from storage.ids.snowflakes import created_at
from tweets.entities import Tweet
from tweets.writing.restoring import check_restorable

RESTORED = "Restored. It comes back into timelines as its order is worked off."


def deletion_of(tweet: Tweet, deleter: Account | None) -> dict[str, str] | None:
    """Returns by whom and when it was deleted; None of one that stands."""
    if tweet.deleted_by is None:
        return None
    by_staff = "" if tweet.deleted_by == tweet.author_id else str(person_line(tweet.deleted_by, deleter)["name"])
    who = [*([by_staff] if by_staff else []), *(["its author"] if tweet.deleted_by_author else [])]
    return {
        "who": " and ".join(who),
        "at": created_at(tweet.changed_op) if tweet.changed_op else "before this was noted",
    }


def restoring_of(operator: User, tweet: Tweet | None) -> dict[str, Any] | None:
    """Returns what is offered: `refused` says why nothing is, empty where it can be restored.

    None where there is nothing to restore, or for who may not. Up to two SQL queries, and the author's account. Raises
    `Unavailable`.
    """
    if tweet is None or not tweet.deleted or not may(operator, Right.RESTORE_TWEETS):
        return None
    if tweet.author_id == operator.pk or not may_touch_what_is_of(operator, tweet.author_id):
        return None
    try:
        check_restorable(tweet)
    except Refused as error:
        return {"refused": error.message}
    return {"refused": ""}
