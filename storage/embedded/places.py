"""Places of readers in SQLite: a row each."""

from storage.embedded.base import rows_of, run, writing

_MOVE = (
    "INSERT INTO storage_readerplace (reader, place) VALUES (%s, %s)"
    " ON CONFLICT (reader) DO UPDATE SET place = max(place, excluded.place)"
)
_READ = "SELECT place FROM storage_readerplace WHERE reader = %s"


class EmbeddedPlaces:
    """See `storage.ports.places.Places`."""

    def place(self, reader: str) -> int:
        rows = rows_of((_READ, (reader,)))
        return int(rows[0][0]) if rows else 0

    def move(self, reader: str, place: int) -> None:
        with writing():
            run((_MOVE, (reader, place)))
