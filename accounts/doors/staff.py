"""The admin's sign-in: the same check as the API's, under the same counters."""

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from accounts.models import User
from accounts.people import services
from accounts.sessions.throttles import password_try
from storage.errors import Forbidden, NotSignedIn


class StaffSignIn(ModelBackend):
    """Proves people for Django's sessions, and what these may is Django's own business."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **_: object,
    ) -> User | None:
        """Returns the person, by username or e-mail address; None if the password is wrong, or they are suspended.

        Raises `TooMany`, `Crowded` and `Unavailable`, which are told as pages (config/http/admin_limits.py). Without a
        request there is no door, and nothing is counted.
        """
        if username is None or password is None:
            return None
        tried = None if request is None else password_try(request)
        try:
            return services.sign_in(login=username, password=password, tried=tried)
        except (NotSignedIn, Forbidden):
            return None
