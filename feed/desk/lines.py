"""What pages of the desk show of tweets, people and places, and what they read of a request, each in one way."""

from typing import Any, cast

from django.http import Http404, HttpRequest
from django.urls import reverse

from accounts.entities import Account, Viewer
from accounts.models import User
from accounts.staff_rows import REASON_MAX
from feed.operations.lookup import Listing, Mark, StaffTweet
from storage.ids.snowflakes import created_at, id_in


def operator_of(request: HttpRequest) -> User:
    """Returns who is signed in; a page of the desk lets nobody else in."""
    return cast(User, request.user)


def viewer_of(request: HttpRequest) -> Viewer:
    """Returns the same as services know them."""
    person = operator_of(request)
    return Viewer(id=person.pk, account=person.account, token_digest="")


def place_in(request: HttpRequest, name: str = "before") -> int | None:
    """Returns the place that a link to the next page names; None without one. No such page for what is none."""
    given = request.GET.get(name, "")
    if not given:
        return None
    place = id_in(given)
    if not place:
        raise Http404("That is no place in a list.")
    return place


def reason_in(request: HttpRequest) -> str:
    """Returns the reason as it was typed; whether it is one is for the service to say."""
    return request.POST.get("reason", "")


def tweet_line(shown: StaffTweet) -> dict[str, Any]:
    tweet = shown.tweet
    return {
        "id": tweet.id,
        "url": reverse("admin:desk_tweet", args=[tweet.id]),
        "author": person_line(tweet.author_id, shown.author),
        "at": created_at(tweet.id),
        "text": tweet.text,
        "deleted": tweet.deleted,
        "retweet_of": tweet.retweet_of_id,
        "reply_to": tweet.reply_to_id,
        "quote_of": tweet.quote_of_id,
        "counts": shown.counts,
    }


def person_line(person_id: int, account: Account | None) -> dict[str, Any]:
    """Somebody, who may not exist any more. Staff are superusers' business: their pages are not led to."""
    is_shown = account is not None and not account.is_staff
    return {
        "id": person_id,
        "name": f"@{account.username}" if account is not None else f"nobody any more ({person_id})",
        "display_name": account.display_name if account is not None else "",
        "suspended": account is not None and account.suspended,
        "url": reverse("admin:desk_person", args=[person_id]) if is_shown else "",
    }


def listing_lines(listing: Listing) -> dict[str, Any]:
    """A page of tweets or of people who marked one, and the place of the next."""
    tweets = [tweet_line(each) for each in listing.items if isinstance(each, StaffTweet)]
    people = [
        {"person": person_line(each.person_id, each.account), "at": created_at(each.op)}
        for each in listing.items
        if isinstance(each, Mark)
    ]
    return {"tweets": tweets, "people": people, "older": listing.older, "reason_max": REASON_MAX}
