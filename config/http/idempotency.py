"""Idempotency-Key on every write: the same key and body give the first answer again.

Around the REST views (config/http/middleware.py) and not in them, so that no write can be forgotten;
the GraphQL door, where only a document's operation tells whether it writes, calls the same
(config/graphql/repeats.py). Keys belong to the signed-in person: writes of nobody (signing up and
in) take no notice of the header, and neither does anything below /auth/, whose answers hold
tokens, which are stored nowhere.

What is kept is the answer (status, body and the fields below) of success and of lasting
refusals. What was refused before it was read leaves the key free. After a failure on our side,
or a crash, the next one with the key tries again, under the same operation's id
(storage/web/idempotent_requests.py).
"""

import re
from collections.abc import Callable
from enum import Enum, auto

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

from accounts.sessions.authentication import rate_hits, signed_in_viewer
from config.http.problems import problem_of, problem_response
from storage.errors import BadRequest, ServiceError, Unavailable
from storage.ports.idempotency import Answer, IdempotencyClaim
from storage.web.idempotent_requests import claim_request, finish, forget, give_up

HEADER = "Idempotency-Key"
KEY = re.compile(r"(?!.*,)[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
"""1–255 printable ASCII characters without a comma; spaces at the ends are not the header's.

Servers fold a header that is sent twice into one, with a comma: taken for a key, it would be a third one."""
KEPT_FIELDS = ("Content-Type", "Location", "Link")
UNREAD = (400, 401, 405, 406, 413, 415, 429)
"""Refusals of a request that was not read to its end, or not at all."""
PASSING = (403, 409)
"""Refusals that may be over when the client comes again; with them the write did not happen."""
REPLAYED = "Idempotency-Replayed"


class Fate(Enum):
    """What becomes of a key when its request was answered."""

    KEPT = auto()
    """The answer is given again."""
    OPEN = auto()
    """The same request may try again, under the same operation's id."""
    FREE = auto()
    """As if the request had not come."""


log = structlog.get_logger(__name__)


def answer_once(
    request: HttpRequest,
    key: str,
    get_response: Callable[[HttpRequest], HttpResponseBase],
    *,
    announced_length: int,
) -> HttpResponseBase:
    """Returns the answer to a write under `key`: the first one, if there is one, else what `get_response` says.

    Costs one token check, which the view does not make again, and two conditional writes.
    """
    user_id = _user_id(request)
    if user_id is None or any(hit.exceeded for hit in rate_hits(request)):
        return get_response(request)
    try:
        claim = claimed(request, user_id, key, announced_length=announced_length)
    except ServiceError as error:
        return problem_response(problem_of(error), request)
    if claim.answer is not None:
        return replayed(claim.answer)
    request.operation_id = claim.op  # type: ignore[attr-defined]
    response = get_response(request)
    settle(user_id, key, claim, response, _fate(request, response))
    return response


def claimed(request: HttpRequest, user_id: int, key: str, *, announced_length: int) -> IdempotencyClaim:
    """Returns the request's own running claim under `key`, or the answered one. One conditional write, or two.

    Raises `BadRequest` for a key that is none and a body that was cut off, `Refused` when the key stands
    for another request, `Busy` while a twin is at it, and `Unavailable`.
    """
    refuse_incomplete(request, announced_length)
    return claim_request(user_id, checked_key(key), fingerprints(request))


def _user_id(request: HttpRequest) -> int | None:
    """Returns who sends the request; None for one that the view will turn away: it says why."""
    try:
        viewer = signed_in_viewer(request)
    except ServiceError:
        return None
    return viewer.id if viewer is not None else None


def checked_key(key: str) -> str:
    """Returns `key`. Raises `BadRequest` unless it is one."""
    if not KEY.fullmatch(key):
        twice = "was sent more than once, or holds a comma: send one key of" if "," in key else "is"
        raise BadRequest(
            f"Idempotency-Key {twice} 1–255 printable ASCII characters, no comma among them.",
            code="bad_idempotency_key",
        )
    return key


def refuse_incomplete(request: HttpRequest, announced_length: int) -> None:
    """Raises `BadRequest` when the client hung up within its body.

    Some servers then hand on what had come. A claim taken for that would refuse the whole
    request, when it is repeated, as another one.
    """
    if len(request.body) < announced_length:
        raise BadRequest("The body ended before its announced length.", code="incomplete_body")


def fingerprints(request: HttpRequest) -> list[bytes]:
    """Returns what is asked, hashed with each secret that may have signed it, the present one first.

    Keyed, for a body may hold a password, and a bare hash could be searched for it.
    """
    asked = b"\n".join(
        [(request.method or "").encode(), request.get_full_path().encode(), request.body],
    )
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [salted_hmac("idempotency", asked, secret=secret, algorithm="sha256").digest() for secret in secrets]


def replayed(answer: Answer) -> HttpResponse:
    """Returns the answer as it was given the first time, and a field that says that it was."""
    response = HttpResponse(answer.body, status=answer.status, headers={**answer.headers, REPLAYED: "true"})
    if "Content-Type" not in answer.headers:
        del response["Content-Type"]
    return response


def _fate(request: HttpRequest, response: HttpResponseBase) -> Fate:
    if response.status_code in UNREAD or request.resolver_match is None:
        return Fate.FREE
    return Fate.OPEN if may_be_over(response.status_code) else Fate.KEPT


def may_be_over(status: int) -> bool:
    """Returns whether what was refused or failed with `status` may be different when the client comes again."""
    return status >= 500 or status in PASSING


def settle(user_id: int, key: str, claim: IdempotencyClaim, response: HttpResponseBase, fate: Fate) -> None:
    """Ends a claim. One conditional write.

    If the store does not answer now, the claim ends by itself, and a repetition does the same again.
    """
    try:
        if fate is Fate.FREE:
            forget(user_id, key, claim)
        elif fate is Fate.KEPT and isinstance(response, HttpResponse):
            headers = {name: response[name] for name in KEPT_FIELDS if name in response}
            finish(user_id, key, claim, Answer(response.status_code, headers, response.content))
        else:
            give_up(user_id, key, claim)
    except Unavailable:
        log.warning("idempotent_answer_not_kept", user_id=user_id)
