"""Routes under /api/v1/."""

from django.urls import path

from feed.api import HomeTimelineAPI

urlpatterns = [path("feed/home", HomeTimelineAPI.as_view(), name="home-timeline")]
