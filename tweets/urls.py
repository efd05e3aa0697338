"""Routes under /api/v1/."""

from django.urls import path

from tweets.api import AuthorTweetsAPI, RepliesAPI, ThreadAPI, TweetAPI, TweetsAPI

urlpatterns = [
    path("tweets", TweetsAPI.as_view(), name="tweets"),
    path("tweets/<str:tweet_id>", TweetAPI.as_view(), name="tweet"),
    path("tweets/<str:tweet_id>/replies", RepliesAPI.as_view(), name="tweet-replies"),
    path("tweets/<str:tweet_id>/thread", ThreadAPI.as_view(), name="tweet-thread"),
    path("users/<str:username>/tweets", AuthorTweetsAPI.as_view(), name="author-tweets"),
]
