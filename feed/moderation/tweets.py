"""Deleting tweets as staff do it on the desk: by right, and with a reason."""

from accounts.entities import Viewer
from accounts.staff import log as staff_log
from accounts.staff.roles import Right, staff_may
from storage.errors import Forbidden
from tweets.writing.posting import delete_tweet


def delete_as_staff(*, tweet_id: int, viewer: Viewer, reason: str) -> None:
    """Deletes anybody's tweet or undoes anybody's retweet; the log of staff tells of it.

    Raises `Forbidden` for who has not the right, `Refused` for no reason, and what `delete_tweet` raises, at its cost
    and that of the right: up to three SQL queries.
    """
    if not staff_may(viewer.id, Right.DELETE_TWEETS):
        raise Forbidden("You may not delete tweets.")
    delete_tweet(tweet_id=tweet_id, viewer=viewer, reason=staff_log.checked_reason(reason))
