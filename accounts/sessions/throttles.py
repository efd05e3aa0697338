"""Limits of signing in and up, which are stricter than those of everything else (sessions/authentication.py)."""

import hashlib
from collections.abc import Mapping
from typing import cast

from rest_framework.request import Request

from accounts.sessions.authentication import RequestLimit
from storage.redis.rate_limits import Hit, Policy, hit_all
from storage.web.client_address import client_address

SIGN_INS_BY_ADDRESS = Policy("sign-in-address", 30, 60)
SIGN_INS_BY_LOGIN = Policy("sign-in-login", 10, 300)
"""Guesses at one account, from wherever. Its owner is not signed out, and in again after 5 minutes."""
SIGN_UPS = Policy("sign-up", 20, 3600)
"""A classroom can sign up; a farm of accounts takes its time."""


class SignInLimit(RequestLimit):
    def hits(self, request: Request) -> list[Hit]:
        login = cast(Mapping[str, object], request.data).get("username")
        counted = [(SIGN_INS_BY_ADDRESS, f"rate:sign-in:address:{client_address(request._request)}")]
        if isinstance(login, str):
            digest = hashlib.sha256(login.strip().lower().encode()).hexdigest()
            counted.append((SIGN_INS_BY_LOGIN, f"rate:sign-in:login:{digest}"))
        return hit_all(*counted)


class SignUpLimit(RequestLimit):
    def hits(self, request: Request) -> list[Hit]:
        return hit_all((SIGN_UPS, f"rate:sign-up:{client_address(request._request)}"))
