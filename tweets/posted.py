"""What the author of a tweet is answered when it was posted.

A new tweet is shown from what was just written, not read back: nobody knew its id before it was
in the store, so nobody has reacted to it or marked it when the request began; and its author's
card came with the token, in force as of this request. So a Redis or store that goes away in
between does not turn a tweet that is durable into a 503. A tweet under the id of a repeatable
request may have been written long ago, and a quoted one is somebody's: those are read.
"""

from accounts.entities import Account, Viewer
from storage.times import created_at
from tweets.entities import Tweet
from tweets.hydration import AuthorView, CountsView, TweetView
from tweets.marks import ViewerFlags
from tweets.selectors import tweet_view


def posted_view(tweet: Tweet, author: Viewer, *, repeatable: bool = False) -> TweetView:
    """The tweet as its author sees it.

    Costs nothing for a new tweet; what `tweet_view` costs, with its errors, for one that quotes or
    that was posted under the id of a `repeatable` request.
    """
    if repeatable or tweet.quote_of_id is not None:
        return tweet_view(tweet.id, author)
    return _view(tweet, author.account)


def _view(tweet: Tweet, author: Account) -> TweetView:
    return TweetView(
        id=str(tweet.id),
        text=tweet.text,
        created_at=created_at(tweet.id),
        author=AuthorView(
            str(author.id), author.username, author.display_name, author.avatar_url or None, author.verified
        ),
        reply_to_id=str(tweet.reply_to_id) if tweet.reply_to_id is not None else None,
        conversation_id=str(tweet.conversation_id),
        quote_of=None,
        retweet_of=None,
        entities=tweet.entities,
        counts=CountsView(0, 0, 0, 0),
        viewer=ViewerFlags(),
    )
