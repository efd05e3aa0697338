"""Whether a server answers: for the runner, and for a container's healthcheck.

`python -m deploy.supervisor.health URL` exits with 0 when the URL answers 200.
"""

import http.client
import sys
from urllib.parse import urlsplit

ANSWER_SECONDS = 2.0


def answers_200(url: str) -> bool:
    """Returns whether a GET succeeds within two seconds."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers_200(sys.argv[1]) else 1)
