"""The embedded store's tweets; in production they live in Cassandra (cql/)."""

from django.db import models
from django.db.models import Q

from storage.models import EmbeddedModel


class TweetRow(EmbeddedModel):
    """One tweet. What Cassandra keeps as listings are indexes here, of tweets not deleted."""

    id = models.BigIntegerField(primary_key=True)
    author = models.BigIntegerField()
    text = models.TextField()
    conversation = models.BigIntegerField()
    in_home = models.BooleanField()
    entities = models.TextField()
    reply_to = models.BigIntegerField(null=True)
    quote_of = models.BigIntegerField(null=True)
    retweet_of = models.BigIntegerField(null=True)
    deleted_by = models.BigIntegerField(null=True)
    deleted_op = models.BigIntegerField(null=True)
    changed_op = models.BigIntegerField(null=True)
    author_deleted_op = models.BigIntegerField(null=True)
    path = models.JSONField(default=list)

    class Meta:
        indexes = [
            models.Index(fields=["author", "-id"], condition=Q(deleted_by=None), name="tweets_by_author"),
            models.Index(
                fields=["author", "-id"], condition=Q(deleted_by=None, in_home=True), name="home_entries_by_author"
            ),
            models.Index(fields=["reply_to", "-id"], condition=Q(deleted_by=None), name="replies_by_tweet"),
            models.Index(
                fields=["-id"], condition=Q(deleted_by=None, in_home=True, retweet_of=None), name="public_tweets"
            ),
            models.Index(
                fields=["author", "retweet_of", "-id"],
                condition=Q(deleted_by=None, retweet_of__isnull=False),
                name="retweets_by_pair",
            ),
            models.Index(fields=["-deleted_op"], condition=Q(deleted_op__isnull=False), name="deletions"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class HashtagRow(EmbeddedModel):
    """A tweet in the list of one of its hashtags, by name (tweets/hashtags.py). It stays when the tweet is deleted."""

    tag = models.TextField()
    tweet = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tag", "tweet"], name="tweets_by_hashtag")]

    def __str__(self) -> str:
        return f"#{self.tag} {self.tweet}"
