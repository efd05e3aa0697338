"""How a tweet stands in the OpenAPI document: with the fields of its output, as tests/integration/tweets/test_shape.py
sees to."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from storage.web.openapi import (
    EXAMPLE_ID,
    EXAMPLE_TIME,
    ID_PATTERN,
    Document,
    collection_of,
    envelope_of,
    id_field,
    page_envelope_of,
)


@extend_schema_field({"oneOf": [{"$ref": "#/components/schemas/Tweet"}, {"type": "null"}]})
class TweetInTweet(serializers.Field[None, None, None, object]):
    # A tweet wherever it stands has one type: what shows a tweet then takes one that was quoted, too.
    pass


@extend_schema_serializer(component_name="Mention")
class MentionDocument(Document):
    id = serializers.CharField(
        allow_null=True,
        help_text="Who had the name when it was posted, whoever has it now. Null if nobody had it, or nobody could "
        "say whose it was; and in tweets from before there were such ids.",
    )
    username = serializers.CharField(help_text="As it was typed.")
    indices = serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2)


@extend_schema_serializer(component_name="Hashtag")
class HashtagDocument(Document):
    tag = serializers.CharField(help_text="Without its sign.")
    indices = serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2)


@extend_schema_serializer(component_name="Url")
class UrlDocument(Document):
    url = serializers.CharField(help_text="As it was typed.")
    indices = serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2)


@extend_schema_serializer(component_name="Entities")
class EntitiesDocument(Document):
    """Indices count Unicode code points of `text`; the end is exclusive."""

    mentions = MentionDocument(many=True)
    hashtags = HashtagDocument(many=True)
    urls = UrlDocument(many=True)


@extend_schema_serializer(component_name="Author")
class AuthorDocument(Document):
    id = id_field()
    username = serializers.CharField()
    display_name = serializers.CharField()
    avatar_url = serializers.URLField(allow_null=True)
    verified = serializers.BooleanField()


@extend_schema_serializer(component_name="Counts")
class CountsDocument(Document):
    """Exact when the request began; from a thousand on, a few seconds old."""

    replies = serializers.IntegerField()
    retweets = serializers.IntegerField()
    quotes = serializers.IntegerField()
    likes = serializers.IntegerField()


@extend_schema_serializer(component_name="TweetViewer")
class ViewerDocument(Document):
    liked = serializers.BooleanField()
    retweeted = serializers.BooleanField()
    bookmarked = serializers.BooleanField()


@extend_schema_serializer(component_name="Tweet")
class TweetDocument(Document):
    """A tweet, or a retweet: then `id`, `created_at`, `author` and `conversation_id` are the retweet's own,
    `text`, `entities`, `counts` and `viewer` those of the original, and `retweet_of` is the original itself."""

    id = id_field()
    text = serializers.CharField()
    created_at = serializers.DateTimeField()
    author = AuthorDocument()
    reply_to_id = serializers.CharField(
        allow_null=True, help_text="The tweet that this one replies to; it may be gone by now."
    )
    conversation_id = id_field()
    quote_of = TweetInTweet(
        help_text="Null when it quotes nothing, when what it quotes is gone or hidden from you, of a tweet that is "
        "quoted itself (quotes are shown one level deep), and of a retweet: see `retweet_of`.",
    )
    retweet_of = TweetInTweet(
        help_text="The original, which is no retweet itself. A retweet whose original is gone or hidden from you is "
        "gone, too."
    )
    entities = EntitiesDocument()
    counts = CountsDocument()
    viewer = ViewerDocument(allow_null=True, help_text="Null for someone not signed in.")


@extend_schema_serializer(component_name="Thread")
class ThreadDocument(Document):
    ancestors = TweetDocument(many=True, help_text="What the tweet answers, oldest first, its parent last.")
    tweet = TweetDocument()
    replies = TweetDocument(many=True, help_text="Direct replies, newest first.")


EXAMPLE_TWEET = {
    "id": EXAMPLE_ID,
    "text": "Hello @bob, see https://example.org #intro",
    "created_at": EXAMPLE_TIME,
    "author": {
        "id": EXAMPLE_ID,
        "username": "ada",
        "display_name": "Ada Lovelace",
        "avatar_url": None,
        "verified": False,
    },
    "reply_to_id": None,
    "conversation_id": EXAMPLE_ID,
    "quote_of": None,
    "retweet_of": None,
    "entities": {
        "mentions": [{"id": EXAMPLE_ID, "username": "bob", "indices": [6, 10]}],
        "hashtags": [{"tag": "intro", "indices": [36, 42]}],
        "urls": [{"url": "https://example.org", "indices": [16, 35]}],
    },
    "counts": {"replies": 0, "retweets": 0, "quotes": 0, "likes": 0},
    "viewer": {"liked": False, "retweeted": False, "bookmarked": False},
}
TWEET = envelope_of("TweetEnvelope", TweetDocument())
TWEETS = collection_of("TweetCollection", TweetDocument)
TWEET_ID = OpenApiParameter("tweet_id", {"type": "string", "pattern": ID_PATTERN}, OpenApiParameter.PATH)
LOCATION = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, response=[201], description="The path of what was made."
)
THREAD = page_envelope_of("ThreadEnvelope", ThreadDocument())
TWEET_EXAMPLE = OpenApiExample("A tweet", value={"data": EXAMPLE_TWEET}, response_only=True)
TWEETS_EXAMPLE = OpenApiExample(
    "A page",
    value={
        "data": [EXAMPLE_TWEET],
        "meta": {"next_cursor": None, "prev_cursor": "GDodEXAMPLE", "limit": 20},
        "links": {"self": "/api/v1/feed/home", "next": None, "prev": "/api/v1/feed/home?limit=20&since=GDodEXAMPLE"},
    },
    response_only=True,
)
TWEETS_FOUND_EXAMPLE = OpenApiExample(
    "Two were asked for",
    value={
        "data": [EXAMPLE_TWEET],
        "meta": {"next_cursor": None, "prev_cursor": None, "limit": 100},
        "links": {"self": f"/api/v1/tweets?ids={EXAMPLE_ID},1745893026153750529", "next": None, "prev": None},
    },
    response_only=True,
)
THREAD_EXAMPLE = OpenApiExample(
    "A thread",
    value={
        "data": {"ancestors": [], "tweet": EXAMPLE_TWEET, "replies": []},
        "meta": {"next_cursor": None, "prev_cursor": None, "limit": 20},
        "links": {"self": f"/api/v1/tweets/{EXAMPLE_ID}/thread", "next": None, "prev": None},
    },
    response_only=True,
)
