"""What signs in is told by a name of ours or one plain word, whatever it calls itself."""

import pytest
from django.test import RequestFactory

from accounts.session_rows import CLIENT_MAX
from accounts.sessions.clients import client_name

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (f"{WINDOWS} Gecko/20100101 Firefox/143.0", "Firefox on Windows"),
        (f"{WINDOWS} {CHROME} Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        (f"{MAC} {CHROME} Safari/537.36", "Chrome on macOS"),
        (f"{MAC} {CHROME} Safari/537.36 OPR/122.0.0.0", "Opera on macOS"),
        (f"{MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15", "Safari on macOS"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/18.6 Safari/604.1",
            "Safari on iPhone",
        ),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox on Linux"),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32.5", "python-requests"),
        ("my.feed-reader (by ada@example.org)", "my.feed-reader"),
        ("Mozilla/5.0", ""),
        ("Mozilla/5.0 (Windows NT 10.0)", "Windows"),
        ("", ""),
        ("/", ""),
        ("<script>alert(1)</script>", ""),
        ("\u202egnihton \x00\x1b[31m", ""),
        ("a" * 10_000, "a" * CLIENT_MAX),
        ("x" * 500 + " Firefox on Windows", "x" * CLIENT_MAX),
    ],
)
def test_a_name_is_short_and_plain(said: str, name: str) -> None:
    assert client_name(RequestFactory(headers={"User-Agent": said}).get("/")) == name


def test_who_says_nothing_has_none() -> None:
    assert client_name(RequestFactory().get("/")) == ""
