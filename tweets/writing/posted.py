"""What the author of a tweet is answered when it was posted.

A new tweet is shown from what was just written, not read back: nobody knew its id before it was
in the store, so nobody has reacted to it or marked it when the request began; and its author's
card came with the token, in force as of this request. So a Redis or store that goes away in
between does not turn a tweet that is durable into a 503. A tweet under the id of a repeatable
request may have been written long ago, and a quoted one is somebody's: those are read.
"""

from accounts.entities import Viewer
from tweets.entities import Tweet
from tweets.reading.hydration import TweetOut, new_tweet_out
from tweets.reading.selectors import tweet_out


def posted_out(tweet: Tweet, author: Viewer, *, repeatable: bool = False) -> TweetOut:
    """The tweet as its author sees it.

    Costs nothing for a new tweet; what `tweet_out` costs, with its errors, for one that quotes or
    that was posted under the id of a `repeatable` request.
    """
    if repeatable or tweet.quote_of_id is not None:
        return tweet_out(tweet.id, author)
    return new_tweet_out(tweet, author.account)
