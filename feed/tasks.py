"""The Celery tasks of maintenance that composes several packages."""

import structlog
from celery import shared_task

from accounts.account_cache.changes import forget_notes
from accounts.people import letters
from accounts.people.suspending import end_suspensions as end_those_that_are_over
from feed.leaving import saga
from feed.operations import figures, strays
from storage.errors import Unavailable
from tweets.search.guarded import search_is_on
from tweets.search.indexer import Indexer

log = structlog.get_logger(__name__)
_indexer = Indexer()


@shared_task(name="feed.sample_figures", ignore_result=True)
def sample_figures() -> None:
    """Keeps the figures of the last slot that is complete (operations/figures.py)."""
    try:
        figures.keep_sample()
    except Unavailable as error:
        log.warning("figures_not_kept", backend=error.backend)


@shared_task(name="feed.search_strays", ignore_result=True)
def search_strays() -> None:
    try:
        strays.run_daily_search()
    except Unavailable as error:
        log.warning("stray_search_waits", backend=error.backend)


@shared_task(name="feed.forget_changes", ignore_result=True)
def forget_changes() -> None:
    """Deletes notes of changes that nothing in Redis can be older than."""
    try:
        forget_notes()
    except Unavailable as error:
        log.warning("changes_forgotten_later", backend=error.backend)


@shared_task(name="feed.send_letters", ignore_result=True)
def send_letters() -> None:
    """Sends who has forgotten their password what they need for another one."""
    try:
        letters.send_letters()
    except Unavailable as error:
        log.warning("letters_wait", backend=error.backend)


@shared_task(name="feed.end_suspensions", ignore_result=True)
def end_suspensions() -> None:
    try:
        end_those_that_are_over()
    except Unavailable as error:
        log.warning("suspensions_end_later", backend=error.backend)


@shared_task(name="feed.index_tweets", ignore_result=True)
def index_tweets() -> None:
    """Has the search index follow what was posted and deleted."""
    try:
        if search_is_on():
            _indexer.run()
    except Unavailable as error:
        log.warning("indexing_waits", backend=error.backend)


@shared_task(name="feed.erase_leavers", ignore_result=True)
def erase_leavers() -> None:
    """Goes on with erasing whoever has left (leaving/saga.py)."""
    try:
        saga.erase_all()
    except Unavailable as error:
        log.warning("leavers_erased_later", backend=error.backend)
