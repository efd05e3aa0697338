"""The REST door that finds tweets."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.doors.rest_search import DOWNWARDS
from accounts.sessions.authentication import viewer_or_none
from feed.timelines.searching import search_page
from storage.web.rest import collection, page_request
from tweets.doors.documents import TWEETS, TWEETS_EXAMPLE
from tweets.reading.hydration import rendered
from tweets.search.query import QUERY_MAX

LANGUAGE = """\
What `q` may hold, each part narrowing what is found:

| written | found are tweets |
|---|---|
| `cat dog` | with both words, wherever they stand |
| `"black cat"` | with these words side by side; a quotation mark that is not closed goes on to the end |
| `-dog`, `-"black cat"` | without them |
| `#berlin` | with that hashtag |
| `from:ada` | by that person; of several, by one of them |
| `since:2026-11-01` | of that day, in UTC, and later |
| `until:2026-12-01` | of before that day |

Case, accents and width make no difference: `CAFÉ` finds `cafe`. Of scripts that write no spaces between words, as
Chinese, Japanese, Korean and Thai, any run of characters is found; an emoji is a word. Whatever is none of the above is
words: no query is refused for what stands in it. `!!!`, which has no word, finds nothing. Of more than 16
words, phrases, hashtags and people the first 16 count."""


class TweetSearchEndpoint(APIView):
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="search_tweets",
        summary="Find tweets",
        description="Tweets that have what `q` asks for, newest first: replies and quotes as well, without retweets "
        "and without those whom you hid. A new tweet is found within two seconds.\n\n" + LANGUAGE + "\n\n"
        "Read downwards only: there is no `since`, and no `prev_cursor`. Where very many are left out a page may be "
        "short; its `next_cursor` goes on. 400 for an empty `q`; 503 with `Retry-After` while nothing can be searched, "
        "which concerns nothing else.",
        tags=["feed"],
        parameters=[
            OpenApiParameter("q", str, required=True, description=f"What to look for, 1 to {QUERY_MAX} characters."),
            *DOWNWARDS,
        ],
        responses={200: TWEETS},
        examples=[TWEETS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        asked = page_request(request)
        page = search_page(request.query_params.get("q", ""), viewer_or_none(request), asked)
        return Response(collection(request, asked, rendered(page)))
