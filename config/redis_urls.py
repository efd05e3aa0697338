"""Which addresses of Redis are refused at start, and why: what cannot work would only be slow otherwise.

A process with a bad address takes Redis for down, and goes on without it (docs/guarantees.md); nobody would notice.
Sentences name the variable alone, never the address, which may hold a password.
"""

from urllib.parse import urlsplit

from config.addresses import WRITE_AS_XX, is_readable
from storage.redis.cluster_urls import is_of_a_cluster, seeds

ONE_SERVER = ("redis", "rediss")


def fault_of(url: str, *, may_be_a_cluster: bool) -> str | None:
    """Returns what is wrong with an address, None for nothing: what follows the variable's name in a sentence."""
    scheme, separator, _ = url.partition("://")
    if "sentinel" in scheme:
        return "names Sentinels, which are not supported: give the primary an address that moves with it, or a cluster"
    if is_of_a_cluster(url):
        return _fault_of_cluster(url) if may_be_a_cluster else "names a cluster: it has to be one server"
    if not separator:
        return "is no URL"
    if scheme not in ONE_SERVER:
        clusters = ", redis+cluster://, rediss+cluster://" if may_be_a_cluster else ""
        return f"begins with {scheme}://: must be one of redis://, rediss://{clusters}"
    return _fault_of_server(url)


def _fault_of_cluster(url: str) -> str | None:
    try:
        places = [is_readable(each) for each in seeds(url)]
    except ValueError as error:
        return f"cannot be read: {error}"
    return None if all(places) else WRITE_AS_XX


def _fault_of_server(url: str) -> str | None:
    if "," in url.partition("://")[2].rpartition("@")[2].partition("/")[0]:
        return "names several servers: those of a cluster stand behind redis+cluster://"
    if not is_readable(url):
        return WRITE_AS_XX
    parts = urlsplit(url)
    database = parts.path.strip("/")
    if database and not database.isdigit():
        return "has a database that is no number"
    return None
