"""Reading notifications in tests as a client does, and acting as people and workers do."""

from typing import Any

from accounts.models import User
from tests.integration.tweeting import viewer
from tests.people import ApiClient
from tests.work import work_off_everything
from tweets.writing.liking import like, unlike

NOTIFICATIONS = "/api/v1/me/notifications"


def page(person: User, query: str = "limit=100") -> dict[str, Any]:
    answer = ApiClient(person).get(f"{NOTIFICATIONS}?{query}")
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def items(person: User, query: str = "limit=100") -> list[dict[str, Any]]:
    work_off_everything()
    found: list[dict[str, Any]] = page(person, query)["data"]
    return found


def told(person: User, query: str = "limit=100") -> list[tuple[str, list[str], int, int | None]]:
    """Type, people, how many there are, and the tweet, of each; once the workers have done all that was left."""
    return [
        (
            each["type"],
            [one["username"] for one in each["people"]],
            each["people_count"],
            each["tweet"] and int(each["tweet"]["id"]),
        )
        for each in items(person, query)
    ]


def unread(person: User) -> int:
    work_off_everything()
    answer = ApiClient(person).get(f"{NOTIFICATIONS}/unread")
    assert answer.status_code == 200, answer.content
    return int(answer.json()["data"]["count"])


def mark_read(person: User, up_to: str) -> int:
    answer = ApiClient(person).put(f"{NOTIFICATIONS}/read", {"up_to": up_to}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    return int(answer.json()["data"]["count"])


def likes(person: User, tweet: int) -> None:
    like(viewer=viewer(person), tweet_id=tweet)


def unlikes(person: User, tweet: int) -> None:
    unlike(viewer=viewer(person), tweet_id=tweet)
