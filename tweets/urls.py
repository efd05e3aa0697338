"""Routes under /api/v1/."""

from django.urls import path

from tweets.api import AuthorTweetsAPI, RepliesAPI, ThreadAPI, TweetAPI, TweetsAPI
from tweets.engagement_api import (
    BookmarkAPI,
    BookmarksAPI,
    LikeAPI,
    LikersAPI,
    RetweetAPI,
    RetweetersAPI,
    UserLikesAPI,
)

urlpatterns = [
    path("tweets", TweetsAPI.as_view(), name="tweets"),
    path("tweets/<str:tweet_id>", TweetAPI.as_view(), name="tweet"),
    path("tweets/<str:tweet_id>/replies", RepliesAPI.as_view(), name="tweet-replies"),
    path("tweets/<str:tweet_id>/thread", ThreadAPI.as_view(), name="tweet-thread"),
    path("users/<str:username>/tweets", AuthorTweetsAPI.as_view(), name="author-tweets"),
    path("tweets/<str:tweet_id>/like", LikeAPI.as_view(), name="like"),
    path("tweets/<str:tweet_id>/retweet", RetweetAPI.as_view(), name="retweet"),
    path("tweets/<str:tweet_id>/bookmark", BookmarkAPI.as_view(), name="bookmark"),
    path("tweets/<str:tweet_id>/likes", LikersAPI.as_view(), name="tweet-likes"),
    path("tweets/<str:tweet_id>/retweets", RetweetersAPI.as_view(), name="tweet-retweets"),
    path("users/<str:username>/likes", UserLikesAPI.as_view(), name="user-likes"),
    path("me/bookmarks", BookmarksAPI.as_view(), name="bookmarks"),
]
