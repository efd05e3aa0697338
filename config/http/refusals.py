"""What uvicorn refuses before there is a request, told as a problem document as every other error is.

    400  what is no HTTP
    414  an address longer than h11's buffer, 16 KB and what comes in the same piece; 431 such a header
    501  a Transfer-Encoding that is unknown

`instance` is `*`: which path was asked for is not known. Granian refuses the same with the bare status, and cannot
be told otherwise.
"""

import secrets
import sys
from contextlib import suppress

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from config.http.problems import CONTENT_TYPE, Problem, document

PROBLEMS = {
    400: Problem(status=400, detail="This is no HTTP/1.1 request.", code="bad_request"),
    414: Problem(status=414, detail="The address is too long.", code="uri_too_long"),
    431: Problem(status=431, detail="The header is too large.", code="headers_too_large"),
    501: Problem(status=501, detail="This Transfer-Encoding is unknown here.", code="not_implemented"),
}


class ProblemProtocol(H11Protocol):
    """uvicorn's own, with a problem for an answer to what cannot be read; named by its option `--http`."""

    def send_400_response(self, msg: str) -> None:
        """Answers and ends the connection; uvicorn calls it while it handles h11's error."""
        unread, _ = self.conn.trailing_data
        problem = PROBLEMS[refused_status(sys.exc_info()[1], unread)]
        self.refuse(problem)

    def refuse(self, problem: Problem) -> None:
        """Answers what no request has been made of, and ends the connection."""
        headers, body = told(problem, "*")
        response = h11.Response(status_code=problem.status, headers=headers, reason=STATUS_PHRASES[problem.status])
        with suppress(h11.LocalProtocolError):  # an answer has begun already, or none may have a body
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def told(problem: Problem, path: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Returns the fields and the document of a problem that is told without the application; the connection ends."""
    request_id = secrets.token_hex(16)
    body = msgspec.json.encode({**document(problem, path), "request_id": request_id})
    fields = {
        "content-type": CONTENT_TYPE,
        "content-length": str(len(body)),
        "x-content-type-options": "nosniff",
        "x-request-id": request_id,
        "connection": "close",
        **{name.lower(): value for name, value in problem.headers.items()},
    }
    return [(name.encode(), value.encode()) for name, value in fields.items()], body


def refused_status(error: BaseException | None, unread: bytes) -> int:
    """Returns the status for what h11 has refused, and has not read; 400 where it says nothing that is known here."""
    status = getattr(error, "error_status_hint", 400)
    if status == 431 and b"\n" not in unread:
        return 414
    return status if status in PROBLEMS else 400
