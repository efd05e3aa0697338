"""Cassandra's jars."""

from pathlib import Path

from deploy.jars import ROOT, Jars

CASSANDRA = Jars(
    server="Cassandra",
    pom=Path(__file__).with_name("pom.xml"),
    cache=ROOT / ".cassandra",
    main="cassandra-all-*.jar",
)
CACHE = CASSANDRA.cache
why_unavailable, java = CASSANDRA.why_unavailable, CASSANDRA.java
jar_directory, install = CASSANDRA.directory, CASSANDRA.install
