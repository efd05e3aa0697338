"""Every route of the product and the methods that it answers, from the URLconf itself."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLResolver, get_resolver


def routes(resolver: URLResolver | None = None, prefix: str = "/") -> Iterator[tuple[str, str]]:
    """Each method and path, such as ("GET", "/api/v1/tweets/{tweet_id}"); of the admin its front page only.

    OPTIONS is left out: no view has one of its own.
    """
    for pattern in (resolver or get_resolver()).url_patterns:
        path = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        if not isinstance(pattern, URLResolver):
            yield from ((method, path) for method in _methods(pattern.callback))
        elif pattern.app_name == "admin":
            yield "GET", path
        else:
            yield from routes(pattern, path)


def _methods(callback: Any) -> list[str]:
    """What a view class has methods for; the views that are functions read."""
    view = getattr(callback, "view_class", None)
    if view is None:
        return ["GET"]
    return [name.upper() for name in view.http_method_names if hasattr(view, name) and name != "options"]
