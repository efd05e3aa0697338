"""Whoever changes a password, and however, ends the tokens and the admin's sessions of that person; so does signing
out everywhere. A session in which the password is changed goes on."""

from collections.abc import Callable

import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.people import services
from accounts.sessions import tokens
from accounts.sessions.ending import end_all
from storage.errors import NotSignedIn
from tests.integration.accounts.admins import NEW_PASSWORD, PEOPLE, act, is_in, post, signed_in
from tests.people import PASSWORD, ApiClient, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

type Change = Callable[[User], None]
