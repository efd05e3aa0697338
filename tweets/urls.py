"""Routes under /api/v1/."""

from django.urls import path

from tweets.doors.rest_engagement import (
    BookmarkEndpoint,
    BookmarksEndpoint,
    LikeEndpoint,
    LikersEndpoint,
    RetweetEndpoint,
    RetweetersEndpoint,
    UserLikesEndpoint,
)
from tweets.doors.rest_tweets import (
    AuthorTweetsEndpoint,
    RepliesEndpoint,
    ThreadEndpoint,
    TweetEndpoint,
    TweetsEndpoint,
)

urlpatterns = [
    path("tweets", TweetsEndpoint.as_view(), name="tweets"),
    path("tweets/<str:tweet_id>", TweetEndpoint.as_view(), name="tweet"),
    path("tweets/<str:tweet_id>/replies", RepliesEndpoint.as_view(), name="tweet-replies"),
    path("tweets/<str:tweet_id>/thread", ThreadEndpoint.as_view(), name="tweet-thread"),
    path("users/<str:username>/tweets", AuthorTweetsEndpoint.as_view(), name="author-tweets"),
    path("tweets/<str:tweet_id>/like", LikeEndpoint.as_view(), name="like"),
    path("tweets/<str:tweet_id>/retweet", RetweetEndpoint.as_view(), name="retweet"),
    path("tweets/<str:tweet_id>/bookmark", BookmarkEndpoint.as_view(), name="bookmark"),
    path("tweets/<str:tweet_id>/likes", LikersEndpoint.as_view(), name="tweet-likes"),
    path("tweets/<str:tweet_id>/retweets", RetweetersEndpoint.as_view(), name="tweet-retweets"),
    path("users/<str:username>/likes", UserLikesEndpoint.as_view(), name="user-likes"),
    path("me/bookmarks", BookmarksEndpoint.as_view(), name="bookmarks"),
]
