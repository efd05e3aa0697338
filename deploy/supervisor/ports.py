"""Loopback ports: a free one, or whether a given one is free."""

import random
import socket

LOOPBACK = "127.0.0.1"
LISTENING_PORTS = range(20_000, 32_000)
"""Below the range from which kernels take the ports of outgoing connections. In that range a
client that retries a stopped server sooner or later connects to itself, and keeps its port."""


def free_port() -> int:
    """Returns a port that nobody listened on a moment ago. Whoever binds it may still come too late."""
    while True:
        port = random.choice(LISTENING_PORTS)  # noqa: S311 - to avoid collisions, not to be secret
        if is_free(port):
            return port


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Returns whether a server could listen there now; lingering closed connections do not count."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
        return True
