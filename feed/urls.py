"""Routes under /api/v1/."""

from django.urls import path

from feed.api import HomeTimelineAPI, PublicFeedAPI

urlpatterns = [
    path("feed/home", HomeTimelineAPI.as_view(), name="home-timeline"),
    path("feed/public", PublicFeedAPI.as_view(), name="public-feed"),
]
