"""The errors that services raise and doors translate, once, into answers.

    ServiceError
    ├── NotFound        it does not exist, was deleted, or must not be known   → 404
    ├── NotSignedIn     no token, or a token that is not (or no longer) good   → 401
    ├── Forbidden       the caller may not                                     → 403
    ├── Refused         understood and refused; names the field               → 422
    ├── Busy            the same request is being worked on                    → 409
    ├── BadRequest      unreadable: a cursor, a limit, an id                   → 400
    ├── TooMany         more tries than are allowed at a time                  → 429
    └── Unavailable     a backend is down, hung, or its breaker is open        → 503
        ├── StillSearching  nothing of a page was found in time                → 503
        └── Crowded     more at this moment than the process works on at once  → 503

A message is written for the client: it never carries a driver's words.
"""


class ServiceError(Exception):
    """The base of every error that a client may be told about."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code


class NotFound(ServiceError):
    code = "not_found"


class NotSignedIn(ServiceError):
    code = "not_authenticated"


class Forbidden(ServiceError):
    code = "forbidden"


class Refused(ServiceError):
    """A well-formed request that the rules turn down; `errors` is {field: [messages]}."""

    code = "invalid"

    def __init__(self, field: str, message: str, *, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.field = field

    @property
    def errors(self) -> dict[str, list[str]]:
        return {self.field: [self.message]}


class Busy(ServiceError):
    code = "busy"
    retry_after_seconds = 1


class BadRequest(ServiceError):
    code = "bad_request"


class TooMany(ServiceError):
    """A quota is used up until `retry_after_seconds` from now."""

    code = "throttled"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many tries; please come again in {retry_after_seconds} seconds.")
        self.retry_after_seconds = retry_after_seconds


class Unavailable(ServiceError):
    """`backend` names what is down, in the words of /readyz."""

    code = "unavailable"
    retry_after_seconds = 2

    def __init__(self, backend: str) -> None:
        super().__init__(f"{backend} does not answer at the moment; please try again shortly.")
        self.backend = backend


class StillSearching(Unavailable):
    """So much of a collection is hidden from its reader that nothing to show was found in the time that a page has.

    `examined` is the place up to which a page that goes up has looked, to go on from.
    """

    def __init__(self, examined: int | None = None) -> None:
        super().__init__("search")
        self.examined = examined
        self.message = "So much here is hidden from you that no page was found in time; please try again shortly."


class Crowded(Unavailable):
    """What is asked for costs much, and others are at it: it was not begun, and may be asked for again at once."""

    retry_after_seconds = 1

    def __init__(self, work: str) -> None:
        super().__init__(work)
        self.message = f"Too many people are {work} at this moment; please try again."
