"""Paths of accounts under /api/v1/."""

from django.urls import path

from accounts.doors.rest_accounts import MeEndpoint, RegisterEndpoint, TokenEndpoint
from accounts.doors.rest_confirming import ConfirmationLetterEndpoint, EmailConfirmationEndpoint
from accounts.doors.rest_relations import (
    BlockEndpoint,
    BlocksEndpoint,
    FollowEndpoint,
    FollowersEndpoint,
    FollowingEndpoint,
    FollowRequestEndpoint,
    FollowRequestsEndpoint,
    MuteEndpoint,
    MutesEndpoint,
)
from accounts.doors.rest_resets import NewPasswordEndpoint, PasswordResetEndpoint
from accounts.doors.rest_search import PeopleSearchEndpoint
from accounts.doors.rest_sessions import SessionEndpoint, SessionsEndpoint

urlpatterns = [
    path("auth/register", RegisterEndpoint.as_view(), name="register"),
    path("auth/token", TokenEndpoint.as_view(), name="token"),
    path("auth/password-reset", PasswordResetEndpoint.as_view(), name="password-reset"),
    path("auth/password-reset/confirm", NewPasswordEndpoint.as_view(), name="password-reset-confirm"),
    path("auth/email/confirm", EmailConfirmationEndpoint.as_view(), name="confirm-email"),
    path("me", MeEndpoint.as_view(), name="me"),
    path("me/email/confirmation", ConfirmationLetterEndpoint.as_view(), name="email-confirmation"),
    path("me/sessions", SessionsEndpoint.as_view(), name="sessions"),
    path("me/sessions/<str:session_id>", SessionEndpoint.as_view(), name="session"),
    path("me/blocks", BlocksEndpoint.as_view(), name="blocks"),
    path("me/follow-requests", FollowRequestsEndpoint.as_view(), name="follow-requests"),
    path("me/follow-requests/<str:username>", FollowRequestEndpoint.as_view(), name="follow-request"),
    path("me/mutes", MutesEndpoint.as_view(), name="mutes"),
    path("search/users", PeopleSearchEndpoint.as_view(), name="search-users"),
    path("users/<str:username>/follow", FollowEndpoint.as_view(), name="follow"),
    path("users/<str:username>/block", BlockEndpoint.as_view(), name="block"),
    path("users/<str:username>/mute", MuteEndpoint.as_view(), name="mute"),
    path("users/<str:username>/followers", FollowersEndpoint.as_view(), name="followers"),
    path("users/<str:username>/following", FollowingEndpoint.as_view(), name="following"),
]
