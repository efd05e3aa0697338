"""What of a request's header the application hears.

A field whose name has an underscore is dropped, as nginx does: WSGI writes `X_Forwarded_For` as it writes
`X-Forwarded-For`, and a client could say for a proxy what the proxy says.
"""

from collections.abc import Iterable, Sequence

Fields = Iterable[tuple[bytes, bytes]]


def without_underscores(fields: Sequence[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
    """Returns the fields that WSGI cannot take for others: mostly the same sequence."""
    if any(b"_" in name for name, _ in fields):
        return [field for field in fields if b"_" not in field[0]]
    return fields


def announced(fields: Fields) -> int | None:
    """Returns the body's announced length; None for one of unknown length, and 0 where none is announced.

    What is no number counts as none: the server has refused it already.
    """
    length = 0
    for name, value in fields:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            length = int(value) if value.isdigit() else 0
    return length
