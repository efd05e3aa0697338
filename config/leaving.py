"""What is erased of somebody who has left, in this order: the only place that knows all of it.

Registered once a process, as the handlers of orders are (config/orders.py). Followers come first, since whatever is
deleted of somebody is taken from each of their followers' homes; then what people write, so that it is gone soonest;
then Redis, as the others read and write there; and the index of tweets last, so that one that is away holds up nothing
else. A new table, listing, index or cache that names people is a line here: the proof asks all of them
(feed/leaving/saga.py).
"""

from accounts.graph.erasing import FOLLOWERS_STEP, GRAPH_STEPS
from accounts.people.erasing import KEYS_STEP, SESSION_STEPS
from accounts.people.leaving import ACCOUNT_STEP
from feed.leaving.saga import register_steps
from feed.leaving.steps import DELIVERY_STEP, MUTED_WORDS_STEP, NOTICES_STEP, REPORTS_STEP
from tweets.search.erasing import SEARCH_STEP
from tweets.writing.erasing import TWEET_STEPS


def register() -> None:
    """Fills the list. Raises `ValueError` when it was filled before."""
    feeds = (DELIVERY_STEP, NOTICES_STEP, REPORTS_STEP, MUTED_WORDS_STEP)
    rest = (ACCOUNT_STEP, *SESSION_STEPS, KEYS_STEP, SEARCH_STEP)
    register_steps((FOLLOWERS_STEP, *TWEET_STEPS, *GRAPH_STEPS, *feeds, *rest))
