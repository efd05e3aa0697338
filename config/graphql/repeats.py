"""Idempotency-Key at the GraphQL door: a document that writes is executed once, and answered the same again.

As at REST (config/http/idempotency.py), whose keys these are. Whether a document writes is known
when it was read; so whatever is refused before it is executed takes no notice of the key, and
neither do queries, and writes of nobody.
"""

from collections.abc import Callable

import msgspec
from django.http import HttpRequest, HttpResponse

from accounts.entities import Viewer
from config.http.idempotency import Fate, claimed, replayed, settle
from config.http.middleware import announced_length
from storage.ports.idempotency import IdempotencyClaim
from storage.web.idempotent_requests import further_operation
from storage.web.rest import encoded


class Executed(msgspec.Struct, frozen=True):
    """The answer to an operation, and whether it may be another one when the client comes again."""

    body: dict[str, object]
    status: int
    may_be_over: bool
    has_failed: bool = False
    """Whether REST would have answered something of it with a 5xx."""


class OperationIds:
    """The ids of what one request writes: one for each write, in their order, and the same when it is repeated."""

    def __init__(self, user_id: int, key: str, claim: IdempotencyClaim) -> None:
        self._user_id = user_id
        self._key = key
        self._claim = claim
        self._given = 0

    def __call__(self) -> int:
        """Returns the next one. The first costs nothing, others one conditional write. Raises `Unavailable`."""
        number, self._given = self._given, self._given + 1
        return further_operation(self._user_id, self._key, self._claim, number) if number else self._claim.op


def executed_once(
    request: HttpRequest, viewer: Viewer, key: str, execute: Callable[[OperationIds], Executed]
) -> HttpResponse:
    """Returns the first answer under `key`, if there is one, else what `execute` answers.

    `request` has read its body. Costs two conditional writes; raises as `claimed` does.
    """
    claim = claimed(request, viewer.id, key, announced_length=announced_length(request))
    if claim.answer is not None:
        return replayed(claim.answer)
    executed = execute(OperationIds(viewer.id, key, claim))
    response = HttpResponse(encoded(executed.body), status=executed.status, content_type="application/json")
    settle(viewer.id, key, claim, response, Fate.OPEN if executed.may_be_over else Fate.KEPT)
    return response
