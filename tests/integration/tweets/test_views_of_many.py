"""One tweet as many viewers see it who have marked nothing: most see the same, and are told so at once."""

import pytest

from accounts.graph import follows
from accounts.graph.exclusions import NOBODY, Exclusions
from accounts.models import User
from accounts.people import suspending
from accounts.people.services import ProfileChange, update_profile
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post
from tests.people import new_person
from tweets.reading.many_viewers import shared, views_of
from tweets.reading.viewing import Known

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]


def seen(tweet_id: int, viewers: dict[User, Exclusions], *, suspended: bool = False) -> list[bool]:
    """Who sees the tweet, in the order of the viewers."""
    known = {viewer.id: Known(viewer.id, excluded, unmarked=True) for viewer, excluded in viewers.items()}
    views = views_of(known, shared([tweet_id]), suspended=suspended)
    return [[each.id for each in views[viewer.id]] == [str(tweet_id)] for viewer in viewers]


def test_who_excludes_the_author_sees_nothing_however_long_ago_that_was() -> None:
    author, anybody, blocks, mutes_another = (new_person() for _ in range(4))
    tweet_id = post(author)
    of_each = {
        anybody: NOBODY,
        blocks: Exclusions(hidden=frozenset({author.id})),
        mutes_another: Exclusions(muted=frozenset({anybody.id})),
    }
    assert seen(tweet_id, of_each) == [True, False, True]


def test_nobody_sees_who_is_suspended_but_who_may() -> None:
    author, anybody = new_person(), new_person()
    tweet_id = post(author)
    suspending.suspend(author, by=new_person(staff=True))
    assert seen(tweet_id, {anybody: NOBODY}) == [False]
    assert seen(tweet_id, {anybody: NOBODY}, suspended=True) == [True]


def test_only_followers_see_who_is_protected() -> None:
    author, follower, anybody = new_person(), new_person(), new_person()
    tweet_id = post(author)
    follows.follow(follower.id, author.id)
    update_profile(author.id, ProfileChange(protected=True))
    assert seen(tweet_id, {follower: NOBODY, anybody: NOBODY}) == [True, False]
