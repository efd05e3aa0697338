"""Overtaking: somebody does the whole of a step while a worker or a reader stands between two of theirs."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from accounts.graph import follows
from accounts.models import User
from feed.operations.audit import Person, Report, audit
from tests.integration.tweeting import home
from tests.people import new_person
from tests.work import work_off_everything


def followed_by(*readers: User) -> User:
    """An author whom these follow; all of them are active."""
    author = new_person()
    for reader in readers:
        follows.follow(reader.id, author.id)
    for person in (author, *readers):
        home(person)
    work_off_everything()
    return author


def after(owner: object, name: str, step: Callable[[], object]) -> Any:
    """Inside, `step` is done once, right after the first call of `owner.name` has returned."""
    original, steps = getattr(owner, name), [step]

    def and_then(*args: Any, **kwargs: Any) -> Any:
        answer = original(*args, **kwargs)
        if steps:
            steps.pop()()
        return answer

    return patch.object(owner, name, and_then)


def assert_right(*readers: User) -> None:
    work_off_everything()
    report = Report()
    people = [Person(reader.id, reader.username) for reader in readers]
    assert [each for found in audit(people, report, repair=False, sleep=lambda _: None) for each in found] == []
    assert report.people - report.inactive == len(readers), "there is something to compare"
