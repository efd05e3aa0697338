"""Routes under /api/v1/."""

from django.urls import path

from tweets.api import AuthorTweetsAPI, TweetAPI, TweetsAPI

urlpatterns = [
    path("tweets", TweetsAPI.as_view(), name="tweets"),
    path("tweets/<str:tweet_id>", TweetAPI.as_view(), name="tweet"),
    path("users/<str:username>/tweets", AuthorTweetsAPI.as_view(), name="author-tweets"),
]
