"""Pages of what somebody is notified of, newest first, and marking them as read."""

from collections.abc import Collection, Sequence

from accounts.entities import Viewer
from accounts.graph.notifications import KIND, NotificationType
from feed.notifications.groups import NotificationOut, groups_of
from feed.notifications.telling import tell_news
from storage.ids.snowflakes import WORKERS, make_id, now_us
from storage.ports.notices import Notice
from storage.ports.ranges import Range
from storage.stores import notices
from storage.web.asking import Shown
from storage.web.paging import Page, PageRequest
from storage.web.walking import Stored, full_page

EVERY_TYPE = tuple(NotificationType)


def notifications_page(
    viewer: Viewer, request: PageRequest, types: Collection[NotificationType] = EVERY_TYPE
) -> Page[NotificationOut]:
    """Returns a page of what the viewer is notified of, of these types, by when it happened last.

    A place is that of a notice, which moves when it happens again. What may not be shown is made up for. A store read
    for where they have read, another for the listing, and what `groups_of` costs. Raises `Unavailable`.
    """
    listed = Listed(viewer, types, read_up_to=notices().read_up_to(viewer.id))
    return full_page(request, Stored(listed.fetch), listed.show)


def mark_read(viewer: Viewer, place: int) -> None:
    """Marks everything up to a notification's id as read; of what is still to come nothing. Never goes back.

    A store write and a Redis round trip; if Redis does not answer, the count of what is new is right when it is told,
    or within minutes. Raises `Unavailable`.
    """
    notices().mark_read(viewer.id, min(place, make_id(now_us(), WORKERS - 1)))
    tell_news(viewer.id)


class Listed:
    """The viewer's notices for one page; `are_counted` as of `groups_of`."""

    def __init__(
        self, viewer: Viewer, types: Collection[NotificationType], *, read_up_to: int, are_counted: bool = True
    ) -> None:
        self._viewer = viewer
        self._kinds = [KIND[each] for each in types]
        self._read_up_to = read_up_to
        self._are_counted = are_counted
        self._notices: dict[int, Notice] = {}

    def fetch(self, *, before: int | None, after: int | None, limit: int) -> list[int]:
        found = notices().newest(self._viewer.id, self._kinds, Range(before, after, limit))
        self._notices |= {each.place: each for each in found}
        return [each.place for each in found]

    def show(self, places: Sequence[int]) -> Shown[NotificationOut]:
        asked = [self._notices[each] for each in places]
        groups = groups_of(asked, self._viewer, read_up_to=self._read_up_to, are_counted=self._are_counted)
        return Shown([(each, groups.shown[each]) for each in places if each in groups.shown], groups.unreadable)
