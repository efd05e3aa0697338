"""What an OpenSearch node is made of and told; no node is started here."""

import re
from pathlib import Path

from deploy.jars import Jars
from deploy.node import options_in
from deploy.opensearch.installation import HERE, MODULE, OPENSEARCH
from deploy.opensearch.node import OpenSearchNode

VERSION = re.compile(r"<opensearch>([\d.]+)</opensearch>")


def version() -> str:
    found = VERSION.search(OPENSEARCH.pom.read_text())
    assert found is not None
    return found[1]


def test_the_configuration_is_filled_in_and_listens_on_loopback_alone(tmp_path: Path) -> None:
    node = OpenSearchNode(tmp_path, port=9999)
    node.write_configuration()
    text = (tmp_path / "config" / "opensearch.yml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert 'network.host: "127.0.0.1"' in lines
    assert "http.port: 9999" in lines
    assert f'path.data: "{tmp_path}/data"' in lines
    assert "action.auto_create_index: false" in lines
    assert "$" not in "".join(lines)
    assert (tmp_path / "config" / "log4j2.properties").exists()


def test_jars_are_laid_out_as_a_distribution_has_them(tmp_path: Path) -> None:
    for name in ("opensearch-2.jar", "netty-buffer-4.jar", "transport-netty4-client-2.jar", "lucene-core-9.jar"):
        (tmp_path / name).touch()
    OPENSEARCH.arrange(tmp_path)
    assert sorted(path.name for path in (tmp_path / "lib").iterdir()) == ["lucene-core-9.jar", "opensearch-2.jar"]
    assert sorted(path.name for path in (tmp_path / "modules" / "transport-netty4").iterdir()) == [
        "netty-buffer-4.jar",
        "plugin-descriptor.properties",
        "plugin-security.policy",
        "transport-netty4-client-2.jar",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lib", "modules"]


def test_one_version_is_named_everywhere() -> None:
    descriptor = (MODULE / "plugin-descriptor.properties").read_text().splitlines()
    assert f"version={version()}" in descriptor
    assert f"opensearch.version={version()}" in descriptor
    compose = (HERE.parents[1] / "docker-compose.yml").read_text()
    assert f"image: opensearchproject/opensearch:{version()}" in compose


def test_another_descriptor_is_another_installation(tmp_path: Path) -> None:
    other = tmp_path / "plugin-descriptor.properties"
    other.write_text("other")
    jars = Jars(server="x", pom=OPENSEARCH.pom, cache=tmp_path, main="*", beside=(other,))
    before = jars.directory()
    other.write_text("another")
    assert jars.directory() != before


def test_every_line_of_the_options_is_one_argument() -> None:
    assert all(option.startswith("-") and " " not in option for option in options_in(HERE / "jvm.options"))
