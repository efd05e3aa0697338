"""Routes under /api/v1/."""

from django.urls import path

from feed.api import HomeTimelineAPI, PublicFeedAPI
from feed.profile_api import ProfileAPI
from feed.reports_api import ReportsAPI

urlpatterns = [
    path("feed/home", HomeTimelineAPI.as_view(), name="home-timeline"),
    path("feed/public", PublicFeedAPI.as_view(), name="public-feed"),
    path("users/<str:username>", ProfileAPI.as_view(), name="profile"),
    path("reports", ReportsAPI.as_view(), name="reports"),
]
