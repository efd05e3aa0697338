"""Bytes that a tweet and a follow take on Cassandra's disk: compressed, one replica, after a clean stop.

Tweets are of English words in no order, about a hundred letters, as what is compressed decides
what it takes. Half of a node's disk, or so, must stay free for compaction; that is not in here.
"""

import random
import re
from collections.abc import Sequence
from pathlib import Path

from bench import seeding
from bench.results import Figure, Row
from bench.stack import Stack
from deploy.plan import ROOT
from deploy.supervisor.processes import stop
from storage.stores import ids
from tweets.entities import Tweet
from tweets.writing import text

AUTHORS, EACH = 200, 100
LETTERS = 100
FOLLOWERS = 100
FLUSH_SECONDS = 60.0
TWEET_TABLES = ("tweets", "tweets_by_author", "home_entries_by_author", "author_months", "public_tweets")
FOLLOW_TABLES = ("edges_out", "edges_by_time", "edge_months", "edges_in")


def on_disk(stack: Stack) -> list[Row]:
    """Stops the node, which writes everything out; nothing can be measured after this. No rows without a node."""
    node = stack.servers.get("cassandra")
    if node is None:
        return []
    tables = node.data_dir / "data" / stack.env.get("CASSANDRA_KEYSPACE", "feed")
    people = seeding.people(AUTHORS, signed_in=0, prefix="written")
    authors = [person.id for person in people]
    follows = [(reader, author) for reader in authors for author in authors[:FOLLOWERS] if reader != author]
    _write(authors)
    seeding.follow(follows)
    if stop([node.child], grace_seconds=FLUSH_SECONDS):
        raise RuntimeError("the node did not come to an end with writing out")
    return [
        _row("a tweet on disk", tables, TWEET_TABLES, AUTHORS * EACH),
        _row("a follow on disk", tables, FOLLOW_TABLES, len(follows)),
    ]


def _write(authors: Sequence[int]) -> None:
    dice = random.Random(1)  # noqa: S311 - no secret
    words = re.findall(r"[A-Za-z]+", (ROOT / "LICENSE").read_text() + (ROOT / "README.md").read_text())
    seeding.add(_tweet(author, dice, words) for _ in range(EACH) for author in authors)


def _tweet(author: int, dice: random.Random, words: Sequence[str]) -> Tweet:
    written = " ".join(dice.choices(words, k=LETTERS))[:LETTERS].strip()
    tweet_id = ids.next()
    entities = text.find_entities(written)
    return Tweet(tweet_id, author, written, conversation_id=tweet_id, in_home=True, entities=entities)


def _row(case: str, tables: Path, names: Sequence[str], count: int) -> Row:
    """What else was seeded lies in the same tables and is a few per cent of it, which counts as ours."""
    sizes = {name: _size(tables, name) / count for name in names}
    beside = [Figure(name, "bytes", [size]) for name, size in sizes.items()]
    return Row(case, Figure("sstables", "bytes", [sum(sizes.values())]), beside=beside)


def _size(tables: Path, name: str) -> int:
    directories = [each for each in tables.iterdir() if each.name.rpartition("-")[0] == name]
    return sum(file.stat().st_size for directory in directories for file in directory.iterdir() if file.is_file())
