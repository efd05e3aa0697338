"""Places of readers in Cassandra: a row each, written at the time of the id that it holds: the greatest wins."""

from storage.cassandra import session
from storage.ids.snowflakes import write_timestamp

_MOVE = "INSERT INTO reader_places (reader, place) VALUES (?, ?) USING TIMESTAMP ?"
_READ = "SELECT place FROM reader_places WHERE reader = ?"


class CassandraPlaces:
    """See `storage.ports.places.Places`. Of two places of one microsecond Cassandra itself takes the greater."""

    def place(self, reader: str) -> int:
        rows = session.execute(_READ, (reader,))
        return int(rows[0][0]) if rows else 0

    def move(self, reader: str, place: int) -> None:
        session.execute(_MOVE, (reader, place, write_timestamp(place)))
