"""The address of the search's index, as SEARCH_URL gives it."""

from storage.ports.places import SEARCH_OFF
from tweets.search.addresses import EMBEDDED, address_of

WITHOUT_SERVER = ("", EMBEDDED, SEARCH_OFF)


def fault_of(url: str) -> str | None:
    """Returns what is wrong with it, and no more: an address may have a password."""
    if url in WITHOUT_SERVER:
        return None
    try:
        address_of(url)
    except ValueError as error:
        either = f"{EMBEDDED} or {SEARCH_OFF}"
        return f"must be opensearch://host:port/index, opensearchs://host:port/index, {either}: it {error}"
    return None
