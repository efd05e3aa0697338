"""Followers of an author, as a fan-out meets them."""

from accounts.graph import follows
from accounts.models import User
from tests.integration.tweeting import home
from tests.people import new_person


def followed_by_active(author: User, count: int) -> list[User]:
    """New followers of the author, whose timelines are there."""
    readers = [new_person() for _ in range(count)]
    for reader in readers:
        follows.follow(reader.id, author.id)
        home(reader)
    return readers
