"""`manage.py index_tweets`: the search index made anew from the store, beside traffic."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from feed.management.progress import Progress as Line
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from tweets.search.guarded import search_index
from tweets.search.rebuilding import IndexWasLost, Progress, rebuild

LINE_TWEETS = 10_000
"""Between two lines of progress."""
CANNOT_LOOK = 2
FILE = "index_tweets.place"
"""In DATA_DIR: after whom a rebuild that broke off goes on."""
KEPT_DAYS = 7
"""After which it begins anew."""


class Command(BaseCommand):
    help = (
        "Makes the index of the search for tweets anew from the store: puts all tweets, then takes out what is gone. "
        "May run at any time, beside the indexer, and again. Broken off, it goes on where it was when it is called "
        "again with the same --since. Exit status 0: done; 2: a backend did not answer."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since", type=_day, metavar="YYYY-MM-DD", help="only tweets of that day, in UTC, and later; after a gap"
        )
        parser.add_argument("--anew", action="store_true", help="begin with everybody, also after one that broke off")

    def handle(self, *, since: date | None, anew: bool, **_: object) -> None:
        place = _Place(since)
        line = Line(sys.stderr, every=LINE_TWEETS)
        try:
            began, after = place.kept()
            if anew:
                began, after = None, None
            for progress in rebuild(since=_first_id(since), began=began, after=after):
                self._say_where_it_goes_on(after, progress)
                after = None
                place.keep(progress)
                line.show(progress.put + progress.looked_at, _said(progress))
        except Unavailable as error:
            raise CommandError(f"{error.message} Call it again to go on.", returncode=CANNOT_LOOK) from error
        except IndexWasLost as error:
            place.forget()
            raise CommandError("The index was lost meanwhile. Call it again.", returncode=CANNOT_LOOK) from error
        line.clear()
        place.forget()
        self.stdout.write(
            f"{progress.put:,} tweets of {progress.people:,} people are indexed; of {progress.looked_at:,} in the "
            f"index {progress.removed:,} were gone and are taken out"
        )

    def _say_where_it_goes_on(self, after: int | None, progress: Progress) -> None:
        if after is not None and progress.goes_on:
            self.stdout.write(f"Goes on after person {after}, where it broke off.")
        elif after is not None:
            self.stdout.write(f"Begins anew: person {after}, after whom it broke off, writes nothing any more.")


class _Place:
    """Up to whom a rebuild has come, in a file: for the same tweets in the same index alone, and for KEPT_DAYS."""

    def __init__(self, since: date | None) -> None:
        self._file = Path(settings.DATA_DIR) / FILE
        self._since = str(since)
        self._person: int | None = None

    def kept(self) -> tuple[int | None, int | None]:
        """When one that broke off began, and after whom it goes on; None where there is none. Raises `Unavailable`."""
        try:
            since, began, person, index = self._file.read_text().split()
            is_this_one = since == self._since and index == search_index().identity()
            oldest = make_id(now_us() - KEPT_DAYS * 86_400_000_000, 0)
            return (int(began), int(person)) if is_this_one and int(began) > oldest else (None, None)
        except (OSError, ValueError):
            return None, None

    def keep(self, progress: Progress) -> None:
        if progress.person is not None and progress.person != self._person:
            self._person = progress.person
            self._file.write_text(f"{self._since} {progress.began} {progress.person} {progress.index}")

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _first_id(since: date | None) -> int:
    if since is None:
        return 0
    midnight = datetime(since.year, since.month, since.day, tzinfo=UTC)
    return max(make_id(int(midnight.timestamp()) * 1_000_000, 0) - 1, 0)


def _said(progress: Progress) -> str:
    if progress.looked_at:
        return f"looking at the index: {progress.looked_at:,}, {progress.removed:,} gone"
    return f"indexing: {progress.put:,} tweets of {progress.people:,} people"
