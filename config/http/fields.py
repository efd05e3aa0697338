"""Fields that we have made ourselves, put on an answer at once.

Django looks at each name and value that is set for what must not stand in a header, which costs a microsecond each;
what is prepared here was looked at once. Nothing that a client has a part in may come this way.
`tests/unit/config/test_fields.py` would tell if Django kept its headers otherwise than `_store` has them.
"""

from collections.abc import Mapping

from django.http.response import HttpResponseBase, ResponseHeaders

Prepared = Mapping[str, tuple[str, str]]
"""By the name in small letters: the name as it is sent, and the value."""


def prepared(fields: Mapping[str, str]) -> Prepared:
    """Returns the fields, looked at. Raises Django's `BadHeaderError`."""
    return dict(ResponseHeaders(fields)._store)


def put_missing(response: HttpResponseBase, fields: Prepared) -> None:
    """Puts those on the answer that it does not have. What it says itself stands."""
    headers = response.headers
    headers._store = {**fields, **headers._store}


def vary_by(response: HttpResponseBase, name: str) -> None:
    """Says that the answer may vary by that field of a request, which is a constant of ours."""
    store = response.headers._store
    _, said = store.setdefault("vary", ("Vary", name))
    if name.lower() not in said.lower() and said != "*":
        store["vary"] = "Vary", f"{said}, {name}"
