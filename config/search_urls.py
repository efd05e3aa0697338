"""The address of the search's index, as SEARCH_URL gives it."""

from tweets.search.addresses import address_of

WITHOUT_SERVER = ("", "embedded", "off")


def fault_of(url: str) -> str | None:
    """Returns what is wrong with it, and no more: an address may have a password."""
    if url in WITHOUT_SERVER:
        return None
    try:
        address_of(url)
    except ValueError as error:
        return f"must be opensearch://host:port/index, opensearchs://host:port/index, embedded or off: it {error}"
    return None
