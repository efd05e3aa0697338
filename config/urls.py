"""Every HTTP route."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny

import accounts.urls as accounts
import feed.urls as feed
import tweets.urls as tweets
from config.graphql.door import GraphQLEndpoint
from config.http.pages import AsyncAPIEndpoint, ClientPage, LivePage, OpenAPIEndpoint, ProblemPage, sent_to
from config.observability.health import healthz, readyz
from config.observability.metrics import metrics

docs = SpectacularSwaggerSplitView.as_view(
    url_name="openapi",
    url_self="/api/docs/",
    authentication_classes=(),
    permission_classes=(AllowAny,),
    template_name="config/docs.html",
)
to_docs = sent_to("/api/docs/")
client = ClientPage.as_view()

CLIENT_PLACES = (
    *("public", "notifications", "search", "find", "bookmarks", "blocks", "mutes", "muted-words"),
    *("follow-requests", "settings", "confirm-email"),
    *("sign-in", "sign-up"),
    "hashtag/<str:tag>",
    "@<str:username>",
    *(f"@<str:username>/{part}" for part in ("replies", "likes", "followers", "following")),
    "@<str:username>/<int:tweet_id>",
    *(f"@<str:username>/<int:tweet_id>/{part}" for part in ("likes", "retweets")),
)

urlpatterns = [
    # What is asked for most often is found first.
    path("api/v1/", include([*feed.urlpatterns, *tweets.urlpatterns, *accounts.urlpatterns])),
    path("api/v1/openapi.json", OpenAPIEndpoint.as_view(), name="openapi"),
    path("api/v1/asyncapi.json", AsyncAPIEndpoint.as_view(), name="asyncapi"),
    path("api/docs/", docs, name="docs"),
    path("api/docs/live/", LivePage.as_view(), name="live-docs"),
    path("api", to_docs),
    path("api/", to_docs),
    path("problems/<str:kind>", ProblemPage.as_view(), name="problem"),
    path("graphql", GraphQLEndpoint.as_view(), name="graphql"),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    # Addresses within the page to try the product on. A name has its @, so that none is another path.
    path("", client, name="client"),
    *(path(place, client) for place in CLIENT_PLACES),
]

handler400 = "config.http.problems.handler400"
handler403 = "config.http.problems.handler403"
handler404 = "config.http.problems.handler404"
handler500 = "config.http.problems.handler500"
