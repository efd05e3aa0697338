"""Idempotency-Key on every REST write: the same key and body give the first answer again.

Around the views (config/http/middleware.py) and not in them, so that no write can be forgotten.
Keys belong to the signed-in person: writes of nobody (signing up and in) take no notice of the
header, and neither does anything below /auth/, whose answers hold tokens, which are stored nowhere.

What is kept is the answer (status, body and the fields below) of success and of lasting
refusals. After a failure on our side, or a crash, the next one with the key tries again,
under the same operation's id (storage/web/idempotent_requests.py).
"""

import re
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

from accounts.sessions.authentication import rate_hits, signed_in_viewer
from config.http.problems import problem_of, problem_response
from storage.errors import BadRequest, ServiceError, Unavailable
from storage.ports.idempotency import Answer, IdempotencyClaim
from storage.web.idempotent_requests import claim_request, finish, give_up

KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
"""1–255 printable ASCII characters; spaces at the ends are not the header's."""
KEPT_FIELDS = ("Content-Type", "Location", "Link")
PASSING = (401, 403, 409, 429)
"""Refusals that may be over when the client comes again; with them the write did not happen."""
REPLAYED = "Idempotency-Replayed"

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
        refuse_incomplete(request, announced_length)
        claim = claim_request(user_id, checked_key(key), fingerprints(request))
    except ServiceError as error:
        return problem_response(problem_of(error), request)
    if claim.answer is not None:
        return replayed(claim.answer)
    request.operation_id = claim.op  # type: ignore[attr-defined]
    response = get_response(request)
    _keep(user_id, key, claim, response)
    return response


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
        raise BadRequest("Idempotency-Key is 1–255 printable ASCII characters.", code="bad_idempotency_key")
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


def _keep(user_id: int, key: str, claim: IdempotencyClaim, response: HttpResponseBase) -> None:
    """If the store does not answer now, the claim ends by itself, and a repetition does the same again."""
    try:
        if isinstance(response, HttpResponse) and response.status_code < 500 and response.status_code not in PASSING:
            headers = {name: response[name] for name in KEPT_FIELDS if name in response}
            finish(user_id, key, claim, Answer(response.status_code, headers, response.content))
        else:
            give_up(user_id, key, claim)
    except Unavailable:
        log.warning("idempotent_answer_not_kept", user_id=user_id)
