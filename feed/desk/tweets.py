"""Tweets on the desk: finding one, and one with all that is known of it; deleting and restoring."""

from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from accounts.people.selectors import find_account
from accounts.staff.roles import Right, may, may_touch_what_is_of
from accounts.staff_rows import REASON_MAX
from feed.desk.lines import listing_lines, operator_of, place_in, reason_in, tweet_line, viewer_of
from feed.desk.pages import DeskPage, desk_page
from feed.desk.restoring import RESTORED, deletion_of, restoring_of
from feed.operations import lookup
from feed.operations.fanning import fan_out_of
from feed.operations.lookup import Listing, marked_by, quotes_of, replies_to
from storage.errors import NotFound, Refused
from tweets.writing.posting import delete_tweet
from tweets.writing.restoring import restore_tweet

LISTS = ("replies", "quotes", "likes", "retweets")


@desk_page
class FindTweets(DeskPage):
    route, name, title = "tweets/", "tweets", "Find tweets"
    right, section = Right.VIEW_TWEETS, "Tweets"
    template_name = "desk/tweets.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        asked = {name: request.GET.get(name, "").strip() for name in ("q", "author", "until")}
        try:
            if asked["q"]:
                tweet_id = lookup.existing(lookup.referred_to(asked["q"]))
                return HttpResponseRedirect(reverse("admin:desk_tweet", args=[tweet_id]))
            listed = listing_lines(self._by_author(request, asked)) if asked["author"] else {}
        except (Refused, NotFound) as error:
            return self.shown({"asked": asked, "error": error.message}, status=422)
        return self.shown({"asked": asked, **listed})

    def _by_author(self, request: HttpRequest, asked: dict[str, str]) -> Listing:
        """From the place of a link to the next page, or else from the time that was asked for."""
        author = find_account(asked["author"].removeprefix("@"))
        place = place_in(request)
        if place is None and asked["until"]:
            place = lookup.place_of(_moment(asked["until"]))
        return lookup.by_author(author.id, before=place)


@desk_page
class OneTweet(DeskPage):
    route, name, title = "tweets/<id:tweet_id>/", "tweet", "Tweet"
    right = Right.VIEW_TWEETS
    template_name = "desk/tweet.html"

    def get(self, request: HttpRequest, tweet_id: int) -> HttpResponseBase:
        found = lookup.sheet(tweet_id)
        shown = request.GET.get("list", LISTS[0])
        listing = _listing(shown if shown in LISTS else LISTS[0], tweet_id, place_in(request))
        author_id = found.subject.tweet.author_id
        is_own = author_id == operator_of(request).pk
        may_touch = may_touch_what_is_of(operator_of(request), author_id)
        fan_out = fan_out_of(found.subject.tweet) if may(request.user, Right.VIEW_FANOUT) else None
        return self.shown(
            {
                "title": f"Tweet {tweet_id}",
                "tweet": tweet_line(found.subject),
                "raw": found.subject.tweet,
                "ancestors": [tweet_line(each) for each in found.ancestors],
                "quoted": tweet_line(found.quoted) if found.quoted is not None else None,
                "original": tweet_line(found.original) if found.original is not None else None,
                "deletion": deletion_of(found.subject.tweet, found.deleter),
                "is_own": is_own,
                "may_delete": is_own or may_touch,
                "restoring": restoring_of(operator_of(request), found.subject.tweet),
                "fan_out": fan_out,
                "lists": LISTS,
                "list": shown if shown in LISTS else LISTS[0],
                "reason_max": REASON_MAX,
                **listing_lines(listing),
            }
        )

    def post(self, request: HttpRequest, tweet_id: int) -> HttpResponseBase:
        action = request.POST.get("action")
        try:
            if action == "delete":
                self.ask(Right.DELETE_TWEETS)
                delete_tweet(tweet_id=tweet_id, viewer=viewer_of(request), reason=reason_in(request))
                return self.back("Deleted. Its retraction from timelines is on its way.")
            if action == "restore":
                self.ask(Right.RESTORE_TWEETS)
                restore_tweet(tweet_id=tweet_id, viewer=viewer_of(request), reason=reason_in(request))
                return self.back(RESTORED)
        except (Refused, NotFound) as error:
            return self.back(error.message, failed=True)
        return self.back("There is no such action.", failed=True)


def _listing(name: str, tweet_id: int, before: int | None) -> Listing:
    if name == "replies":
        return replies_to(tweet_id, before=before)
    if name == "quotes":
        return quotes_of(tweet_id, before=before)
    return marked_by(tweet_id, lookup.MARKS[name], before=before)


def _moment(text: str) -> datetime:
    """Returns a time as a form has it, in UTC. Raises `Refused`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused("until", "That is no time, such as 2026-11-22T18:48.") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
