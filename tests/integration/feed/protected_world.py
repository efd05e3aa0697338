"""A protected person in the middle of things, and everybody who may or may not see what she wrote.

All of it was written while she was open to everybody: what became of it is for the leak matrix to say.
"""

from typing import Any

from accounts.entities import Viewer
from accounts.graph import blocks, follows, requests
from accounts.models import User
from accounts.people.services import ProfileChange, update_profile
from tests.integration.indexing import empty_index, index_everything
from tests.integration.tweeting import home, post, viewer
from tests.people import new_person
from tests.work import work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing import liking
from tweets.writing.retweeting import retweet

INSIDERS = ("follower", "author")
OUTSIDERS = ("anonymous", "stranger", "requested", "refused", "former", "blocked", "unblocked", "blocks")


def protect(person: User, *, protected: bool = True) -> None:
    update_profile(person.id, ProfileChange(protected=protected))
    person.refresh_from_db()


def retweeted(by: User, tweet_id: int) -> int:
    retweet(viewer=viewer(by), tweet_id=tweet_id)
    [entry] = tweet_store().retweets_of(tweet_id, by.id)
    return entry


class World:
    """Everybody, and what they wrote: by one letter each, which `seen` looks for."""

    def __init__(self) -> None:
        self.ada, self.bob, self.carl = new_person(), new_person(), new_person()
        self.people: dict[str, User | None] = {"anonymous": None, "author": self.ada, "staff": new_person(staff=True)}
        for name in ("stranger", "requested", "refused", "former", "blocked", "unblocked", "blocks", "follower"):
            self.people[name] = new_person()
        self._write()
        for name, person in self.people.items():
            if person is not None:
                self._relate(name, person)
        work_off_everything()
        empty_index()
        index_everything()
        for person in self.people.values():
            if person is not None:
                home(person)
        protect(self.ada)
        for name in ("requested", "refused"):
            follows.follow(self.person(name).id, self.ada.id)
        requests.refuse(self.ada.id, self.person("refused").id)

    def person(self, name: str) -> User:
        found = self.people[name]
        assert found is not None
        return found

    def viewer(self, name: str) -> Viewer | None:
        person = self.people[name]
        return viewer(person) if person is not None else None

    def _write(self) -> None:
        """T and U of Ada's; B of Bob's, which she answers by R, likes, and retweets as A; his S answers T, his Q quotes
        it, and his W retweets it. Carl likes T."""
        ids = {
            "T": post(self.ada, "t-secret"),
            "U": post(self.ada, "u-secret #matrix"),
            "B": post(self.bob, "b-open #matrix"),
        }
        ids["R"] = post(self.ada, "r-secret", reply_to=ids["B"])
        ids["S"] = post(self.bob, "s-open", reply_to=ids["T"])
        ids["Q"] = post(self.bob, "q-open", quote_of=ids["T"])
        ids["W"], ids["A"] = retweeted(self.bob, ids["T"]), retweeted(self.ada, ids["B"])
        liking.like(viewer=viewer(self.carl), tweet_id=ids["T"])
        liking.like(viewer=viewer(self.ada), tweet_id=ids["B"])
        self.ids = ids
        self.names = {"ada": self.ada.username, "bob": self.bob.username, "carl": self.carl.username}

    def _relate(self, name: str, person: User) -> None:
        """Everybody follows Bob, and has T among their bookmarks."""
        follows.follow(person.id, self.bob.id)
        liking.bookmark(viewer=viewer(person), tweet_id=self.ids["T"])
        if name in ("follower", "former", "blocked", "unblocked", "blocks"):
            follows.follow(person.id, self.ada.id)
        if name == "former":
            follows.unfollow(person.id, self.ada.id)
        if name in ("blocked", "unblocked"):
            blocks.block(self.ada.id, person.id)
        if name == "unblocked":
            blocks.unblock(self.ada.id, person.id)
        if name == "blocks":
            blocks.block(person.id, self.ada.id)

    def seen(self, data: Any) -> str:
        """The letters of what an answer shows, in their order: tweets by their texts, retweets by their ids.

        And Ada as P, and Carl as C, where they are somebody in a list.
        """
        known = {f"id {self.ids[each]}": each for each in "WA"}
        known |= {f"text {each.lower()}-{word}": each for each in "TURBSQ" for word in ("secret", "open")}
        known |= {f"name {self.ada.username}": "P", f"name {self.carl.username}": "C"}
        return " ".join(sorted({known[each] for each in _shown(data) if each in known})) or "-"


def _shown(data: Any, *, listed: bool = False) -> list[str]:
    if isinstance(data, list):
        return [each for one in data for each in _shown(one, listed=True)]
    if not isinstance(data, dict):
        return []
    own = [f"{name} {str(data[name]).split()[0]}" for name in ("id", "text") if "text" in data and name in data]
    if listed and "username" in data:
        own.append(f"name {data['username']}")
    return own + [each for name, value in data.items() for each in _shown(value, listed=name == "node")]
