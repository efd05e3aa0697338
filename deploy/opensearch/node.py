"""A real OpenSearch node on loopback, without containers (docs/adr/056).

    with OpenSearchNode(data_dir=directory) as node:
        OpenSearchIndex(node.url())

The product (`SEARCH_URL=… make run`, `make opensearch`) and the tests share it.
"""

import http.client
import shutil
from pathlib import Path
from string import Template

from deploy.node import JavaNode, options_in
from deploy.opensearch.installation import OPENSEARCH, why_unavailable
from deploy.supervisor.ports import free_port

__all__ = ["OpenSearchNode", "why_unavailable"]

HERE = Path(__file__).parent
ASK_SECONDS = 5.0


class OpenSearchNode(JavaNode):
    """One node, a cluster of its own. The heap is `heap_mb`; the process takes some 150 MB on top."""

    def __init__(self, data_dir: Path, *, port: int = 0, heap_mb: int = 512, cache: Path | None = None) -> None:
        super().__init__(OPENSEARCH, data_dir, port=port, cache=cache)
        self._heap_mb = heap_mb

    def url(self, index: str = "tweets") -> str:
        """Returns what SEARCH_URL says of an index on this node."""
        return f"opensearch://{self.host}:{self.port}/{index}"

    def write_configuration(self) -> None:
        """Writes DATA_DIR's `config`, which the node reads in place of its home's."""
        directory = self.data_dir / "config"
        directory.mkdir(exist_ok=True)
        filled = Template((HERE / "opensearch.yml").read_text()).substitute(
            directory=self.data_dir, name=self.host, host=self.host, port=self.port, transport_port=free_port()
        )
        (directory / "opensearch.yml").write_text(filled)
        shutil.copy(HERE / "log4j2.properties", directory)

    def _argv(self, program: str, jars: Path) -> list[str]:
        return [
            program,
            f"-Xms{self._heap_mb}M",
            f"-Xmx{self._heap_mb}M",
            *options_in(HERE / "jvm.options"),
            f"-Djava.io.tmpdir={self.temporary_directory()}",
            f"-Dopensearch.path.home={jars}",
            f"-Dopensearch.path.conf={self.data_dir / 'config'}",
            "-cp",
            f"{jars}/lib/*",
            "org.opensearch.bootstrap.OpenSearch",
        ]

    def _ready(self) -> bool:
        """It takes connections before it has found its indices again."""
        return "recovered [" in self.log.read_text(errors="replace") and answers_http(self.host, self.port)


def answers_http(host: str, port: int) -> bool:
    """Returns whether all that the node keeps can be searched, within a few seconds."""
    connection = http.client.HTTPConnection(host, port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
