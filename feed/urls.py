"""Routes under /api/v1/."""

from django.urls import path

from feed.doors.rest_export import ExportEndpoint
from feed.doors.rest_feeds import HashtagEndpoint, HomeTimelineEndpoint, PublicFeedEndpoint
from feed.doors.rest_muted_words import MutedWordEndpoint, MutedWordsEndpoint
from feed.doors.rest_notifications import NotificationsEndpoint, ReadEndpoint, UnreadEndpoint
from feed.doors.rest_profile import ProfileEndpoint, ProfilesEndpoint
from feed.doors.rest_reports import ReportsEndpoint
from feed.doors.rest_search import TweetSearchEndpoint

urlpatterns = [
    path("feed/home", HomeTimelineEndpoint.as_view(), name="home-timeline"),
    path("feed/public", PublicFeedEndpoint.as_view(), name="public-feed"),
    path("hashtags/<str:tag>/tweets", HashtagEndpoint.as_view(), name="hashtag"),
    path("search/tweets", TweetSearchEndpoint.as_view(), name="search-tweets"),
    path("users", ProfilesEndpoint.as_view(), name="profiles"),
    path("users/<str:username>", ProfileEndpoint.as_view(), name="profile"),
    path("me/export", ExportEndpoint.as_view(), name="export"),
    path("me/muted-words", MutedWordsEndpoint.as_view(), name="muted-words"),
    path("me/muted-words/<path:word>", MutedWordEndpoint.as_view(), name="muted-word"),
    path("me/notifications", NotificationsEndpoint.as_view(), name="notifications"),
    path("me/notifications/unread", UnreadEndpoint.as_view(), name="unread-notifications"),
    path("me/notifications/read", ReadEndpoint.as_view(), name="read-notifications"),
    path("reports", ReportsEndpoint.as_view(), name="reports"),
]
