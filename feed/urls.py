"""Routes under /api/v1/."""

from django.urls import path

from feed.api import HomeTimelineAPI
from feed.profile_api import ProfileAPI

urlpatterns = [
    path("feed/home", HomeTimelineAPI.as_view(), name="home-timeline"),
    path("users/<str:username>", ProfileAPI.as_view(), name="profile"),
]
