"""Addresses of a Redis or Valkey Cluster: `redis+cluster://user:password@host:port,host:port`.

The hosts are some of its nodes, of which one has to answer; the cluster tells the rest. `rediss+cluster://` asks over
TLS. Everything behind the hosts is as in redis-py's URLs, and so are the addresses of single nodes made here.
"""

SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
"""Each with that of a single node."""
PORT = 6379


def is_of_a_cluster(url: str) -> bool:
    """Returns whether a cluster is meant."""
    return url.partition("://")[0] in SCHEMES


def seeds(url: str) -> list[str]:
    """Returns an address for each host that a cluster's names, as of a single node."""
    _, hosts, _ = _parts(url)
    return [url_of(url, host, port) for host, port in hosts]


def url_of(url: str, host: str, port: int) -> str:
    """Returns the address of one node of the cluster: with its credentials, TLS and options."""
    scheme, _, (who, options) = _parts(url)
    place = f"[{host}]" if ":" in host else host
    return f"{scheme}://{who}{place}:{port}/0{options}"


def _parts(url: str) -> tuple[str, list[tuple[str, int]], tuple[str, str]]:
    """A single node's scheme; hosts with their ports; and what stands before and behind them. Raises `ValueError`."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    if not slash:
        authority, question, query = rest.partition("?")
        path = f"{question}{query}"
    database, question, query = path.partition("?")
    who, at, hosts = authority.rpartition("@")
    if scheme not in SCHEMES or database not in ("", "0"):
        raise ValueError("not the address of a cluster, which has the database 0 alone")
    return SCHEMES[scheme], [_host_of(each) for each in hosts.split(",")], (f"{who}{at}", f"{question}{query}")


def _host_of(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError("a host without a name, or a port that is none")
    return host, int(port)
