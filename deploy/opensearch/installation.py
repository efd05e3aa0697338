"""OpenSearch's jars, laid out as a distribution has them: `lib`, and `modules` with one of them, of HTTP."""

import shutil
from pathlib import Path

from deploy.jars import ROOT, Jars

HERE = Path(__file__).parent
MODULE = HERE / "transport-netty4"
OF_THE_MODULE = ("netty-*.jar", "transport-netty4-client-*.jar")
"""A class may be in the module or in `lib`: the node refuses to start with both."""


def _arrange(directory: Path) -> None:
    library, module = directory / "lib", directory / "modules" / MODULE.name
    shutil.copytree(MODULE, module)
    library.mkdir()
    for pattern in OF_THE_MODULE:
        for jar in directory.glob(pattern):
            jar.rename(module / jar.name)
    for jar in directory.glob("*.jar"):
        jar.rename(library / jar.name)


OPENSEARCH = Jars(
    server="OpenSearch",
    pom=HERE / "pom.xml",
    cache=ROOT / ".opensearch",
    main="opensearch-core-*.jar",
    beside=tuple(sorted(MODULE.iterdir())),
    arrange=_arrange,
)
why_unavailable = OPENSEARCH.why_unavailable
