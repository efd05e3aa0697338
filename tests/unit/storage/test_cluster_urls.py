"""An address of a cluster names some nodes, and each node's own is made from it."""

import pytest

from storage.redis.cluster_urls import is_of_a_cluster, seeds, url_of


@pytest.mark.parametrize(
    ("url", "nodes"),
    [
        ("redis+cluster://n1", ["redis://n1:6379/0"]),
        ("redis+cluster://n1:7000,n2", ["redis://n1:7000/0", "redis://n2:6379/0"]),
        ("rediss+cluster://:p%40w@n1:7000/", ["rediss://:p%40w@n1:7000/0"]),
        ("redis+cluster://u:pw@[::1]:7000,[fe80::1]/0", ["redis://u:pw@[::1]:7000/0", "redis://u:pw@[fe80::1]:6379/0"]),
        ("redis+cluster://n1/0?protocol=2", ["redis://n1:6379/0?protocol=2"]),
        ("redis+cluster://n1?protocol=2", ["redis://n1:6379/0?protocol=2"]),
    ],
)
def test_the_nodes_of_an_address(url: str, nodes: list[str]) -> None:
    assert is_of_a_cluster(url)
    assert seeds(url) == nodes


def test_a_node_that_the_cluster_tells_of_has_the_same_password() -> None:
    assert url_of("rediss+cluster://u:pw@n1:7000,n2", "::2", 7001) == "rediss://u:pw@[::2]:7001/0"


@pytest.mark.parametrize("url", ["redis://n1", "rediss://n1:6379/0", "unix:///run/redis"])
def test_one_server_is_no_cluster(url: str) -> None:
    assert not is_of_a_cluster(url)
