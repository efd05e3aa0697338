"""Making edges, and saying that a store holds exactly these."""

from storage.ports.associations import Association, AssociationStore, Change
from tests.ids import new_id

FOLLOW = "follow"


def add(source: int, target: int, op: int | None = None, kind: str = FOLLOW) -> Change:
    return Change(source=source, kind=kind, target=target, op=op or new_id(), present=True)


def remove(source: int, target: int, op: int | None = None, kind: str = FOLLOW) -> Change:
    return Change(source=source, kind=kind, target=target, op=op or new_id(), present=False)


def all_bucket_sources(associations: AssociationStore, target: int, kind: str = FOLLOW) -> list[int]:
    """As fan-out reads them: every bucket of the level, to its end, duplicates kept."""
    found: list[int] = []
    for bucket in range(1 << associations.level(target, kind)):
        after = 0
        while page := associations.bucket_sources(target, kind, bucket, after=after, limit=50):
            found += page
            after = page[-1]
    return found


def assert_edge(associations: AssociationStore, change: Change) -> None:
    """The truth and every index say what `change` says; it is the only edge of its source."""
    source, kind, target = change.source, change.kind, change.target
    edges = [Association(source, kind, target, change.op)] if change.present else []
    assert associations.find(source, kind, [target]) == {edge.target: edge for edge in edges}
    assert associations.targets(source, kind) == [edge.target for edge in edges]
    assert associations.newest_targets(source, kind, limit=10) == edges
    assert [each for each in associations.newest_sources(target, kind, limit=500) if each.source == source] == edges
    assert set(all_bucket_sources(associations, target, kind)) & {source} == {edge.source for edge in edges}
    assert associations.count_targets(source, kind) == len(edges)
