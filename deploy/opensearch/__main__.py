"""`make opensearch`: a node in the foreground, in DATA_DIR/opensearch, until Ctrl-C (deploy/foreground.py).

`--check` only says whether the tests with OpenSearch can run here.
"""

import os
import sys
from pathlib import Path

from deploy.foreground import say_whether_tests_run, serve
from deploy.opensearch.node import OpenSearchNode, why_unavailable
from deploy.supervisor.ports import is_free

USUAL_PORT = 9200


def run() -> int:
    data_dir = Path(os.environ.get("DATA_DIR", "data")) / "opensearch"
    port = int(os.environ.get("OPENSEARCH_PORT") or (USUAL_PORT if is_free(USUAL_PORT) else 0))
    node = OpenSearchNode(data_dir, port=port)
    return serve(node, lambda: f"SEARCH_URL={node.url()} make run")


if __name__ == "__main__":
    sys.exit(say_whether_tests_run("OpenSearch", why_unavailable()) if sys.argv[1:] == ["--check"] else run())
