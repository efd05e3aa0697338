"""The address of the search's index, as SEARCH_URL gives it."""

from urllib.parse import urlsplit

WITHOUT_SERVER = ("", "embedded", "off")
SCHEMES = ("opensearch", "opensearchs")


def fault_of(url: str) -> str | None:
    """Returns what is wrong with it, and no more: an address may have a password."""
    if url in WITHOUT_SERVER:
        return None
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in SCHEMES and parts.hostname and parts.path.strip("/") and parts.port != 0
    except ValueError:
        is_whole = False
    return None if is_whole else "must be opensearch://host:port/index, opensearchs://host:port/index, embedded or off"
