"""From tweets to what is indexed of them."""

from tweets.entities import Tweet
from tweets.hashtags import hashtag_names
from tweets.search.port import Document
from tweets.search.words import words


def document_of(tweet: Tweet) -> Document | None:
    """Returns the tweet as it is indexed; None of a retweet, which has no text of its own, and of what is deleted."""
    if tweet.deleted or tweet.retweet_of_id is not None:
        return None
    return Document(
        id=tweet.id, author_id=tweet.author_id, words=words(tweet.text), hashtags=tuple(hashtag_names(tweet))
    )
