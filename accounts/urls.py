"""Paths of accounts under /api/v1/."""

from django.urls import path

from accounts.api import FollowView, MeView, RegisterView, TokenView

urlpatterns = [
    path("auth/register", RegisterView.as_view(), name="register"),
    path("auth/token", TokenView.as_view(), name="token"),
    path("me", MeView.as_view(), name="me"),
    path("users/<str:username>/follow", FollowView.as_view(), name="follow"),
]
