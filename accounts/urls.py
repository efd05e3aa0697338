"""Paths of accounts under /api/v1/."""

from django.urls import path

from accounts.api import MeView, RegisterView, TokenView
from accounts.relations_api import BlockView, FollowersView, FollowingView, FollowView, MuteView

urlpatterns = [
    path("auth/register", RegisterView.as_view(), name="register"),
    path("auth/token", TokenView.as_view(), name="token"),
    path("me", MeView.as_view(), name="me"),
    path("users/<str:username>/follow", FollowView.as_view(), name="follow"),
    path("users/<str:username>/block", BlockView.as_view(), name="block"),
    path("users/<str:username>/mute", MuteView.as_view(), name="mute"),
    path("users/<str:username>/followers", FollowersView.as_view(), name="followers"),
    path("users/<str:username>/following", FollowingView.as_view(), name="following"),
]
