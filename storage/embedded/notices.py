"""Notices in SQLite: one row each, which its next event moves."""

from collections.abc import Collection, Sequence

from storage.embedded.base import Statement, rows_of, run, writing
from storage.ports.notices import FORGOTTEN, Kind, Notice
from storage.ports.ranges import Range

_ADD = (
    "INSERT INTO storage_noticerow (recipient, kind, subject, place) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (recipient, kind, subject) DO UPDATE SET place = max(place, excluded.place)"
)
_ADD_ONCE = _ADD.replace("max(", "min(")
_MARK_READ = (
    "INSERT INTO storage_noticeread (recipient, place) VALUES (%s, %s)"
    " ON CONFLICT (recipient) DO UPDATE SET place = max(place, excluded.place)"
)
_READ = "SELECT place FROM storage_noticeread WHERE recipient = %s"
_ROWS = (
    "SELECT subject, place FROM storage_noticerow INDEXED BY notice_by_time"
    " WHERE recipient = %s AND kind = %s AND place BETWEEN %s AND %s ORDER BY place"
)
_DOWN, _UP = f"{_ROWS} DESC LIMIT %s", f"{_ROWS} ASC LIMIT %s"
_NEWEST = "SELECT place, id FROM storage_noticerow WHERE recipient = %s AND kind = %s ORDER BY place DESC LIMIT %s"
_FORGET = "DELETE FROM storage_noticerow WHERE id IN ({})"
_FORGET_READ = "DELETE FROM storage_noticeread WHERE recipient = %s"


class EmbeddedNotices:
    """See `storage.ports.notices.Notices`."""

    def add(self, notices: Sequence[Notice]) -> None:
        """Makes one transaction."""
        statements: list[Statement] = [
            (_ADD_ONCE if each.kind.once else _ADD, (each.recipient, each.kind.name, each.subject, each.place))
            for each in notices
        ]
        with writing():
            run(*statements)

    def newest(self, recipient: int, kinds: Collection[Kind], within: Range) -> list[Notice]:
        """Makes a statement a kind."""
        low, high, upwards = within.low, within.high, within.after is not None
        found = [
            Notice(recipient, kind, subject, place)
            for kind in kinds
            for subject, place in rows_of((_UP if upwards else _DOWN, (recipient, kind.name, low, high, within.limit)))
        ]
        found.sort(key=lambda notice: notice.place, reverse=not upwards)
        nearest = found[: within.limit]
        return nearest[::-1] if upwards else nearest

    def read_up_to(self, recipient: int) -> int:
        rows = rows_of((_READ, (recipient,)))
        return int(rows[0][0]) if rows else 0

    def mark_read(self, recipient: int, place: int) -> None:
        with writing():
            run((_MARK_READ, (recipient, place)))

    def forget(self, recipient: int, kinds: Collection[Kind]) -> int:
        """Makes a transaction, with a statement a kind."""
        with writing():
            rows = [row for kind in kinds for row in rows_of((_NEWEST, (recipient, kind.name, FORGOTTEN)))]
            newest = [row_id for _, row_id in sorted(rows, reverse=True)[:FORGOTTEN]]
            forgetting = _FORGET.format(", ".join(["%s"] * len(newest)))
            run((forgetting, newest) if newest else (_FORGET_READ, (recipient,)))
        return len(newest)
