"""Addresses of an index in OpenSearch: `opensearch://user:password@host:port,host:port/index?shards=3`.

The hosts are nodes of one cluster, each with the port 9200 unless it says another; what one does not answer others are
asked. `opensearchs://` asks over TLS, and believes certificates that the machine does, or those of the file that `ca`
names. `shards` and `replicas` are for whoever makes the index: by default one shard, and a copy of it wherever there is
a second node to hold it. A password's `/ # ? @ : %` are written as %XX.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

EMBEDDED = "embedded"
"""The SEARCH_URL of an index in a file of this machine."""
TLS = {"opensearch": False, "opensearchs": True}
PORT = 9200
INDEX = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
"""What OpenSearch takes for a name, and a little less."""
HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")
SHARDS_MAX = 100
REPLICAS_MAX = 10


@dataclass(frozen=True, slots=True)
class Address:
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    index: str
    user: str = ""
    password: str = ""
    ca: str = ""
    shards: int = 1
    replicas: int | None = None
    """None: one as soon as there is a second node."""


def address_of(url: str) -> Address:
    """Returns what the address says. Raises `ValueError` with what is wrong, and without a word of the address, which
    may hold a password: what follows the variable's name in a sentence."""
    scheme, _, rest = url.partition("://")
    if scheme not in TLS:
        raise ValueError(f"must begin with one of {', '.join(f'{each}://' for each in TLS)}")
    place, _, query = rest.partition("?")
    authority, _, index = place.partition("/")
    who, _, hosts = authority.rpartition("@")
    user, colon, password = who.partition(":")
    if not INDEX.fullmatch(index):
        raise ValueError("must end with the name of an index: /tweets, of small letters, digits, - and _")
    if bool(user) != bool(password) or "@" in who or ":" in password or (colon and not user):
        raise ValueError("has a user without a password, or a character that is to be written as %XX")
    options = _options(query)
    if "ca" in options and not TLS[scheme]:
        raise ValueError("names authorities of certificates, which only opensearchs:// asks for")
    return Address(
        tls=TLS[scheme],
        hosts=tuple(_host_of(each) for each in hosts.split(",")),
        index=index,
        user=unquote(user),
        password=unquote(password),
        ca=options.get("ca", ""),
        shards=_number(options, "shards", 1, SHARDS_MAX) or 1,
        replicas=_number(options, "replicas", 0, REPLICAS_MAX),
    )


def _host_of(text: str) -> tuple[str, int]:
    found = HOST.fullmatch(text)
    port = int(found["port"] or PORT) if found else 0
    if found is None or not 0 < port < 65_536:
        raise ValueError("has a host without a name, or a port that is none")
    return found["six"] or found["name"], port


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if strange := sorted(set(options) - {"ca", "shards", "replicas"}):
        raise ValueError(f"has {', '.join(strange)} behind its ?, where only ca, shards and replicas may be")
    return options


def _number(options: dict[str, str], name: str, least: int, most: int) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
        raise ValueError(f"has {name} that are no number from {least} to {most}")
    return int(text)
