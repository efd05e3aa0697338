"""Every HTTP route."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView
from rest_framework.permissions import AllowAny

from config.graphql.door import GraphQLEndpoint
from config.observability.health import healthz, readyz
from config.observability.metrics import metrics

admin.site.site_header = admin.site.site_title = "Feed"

openapi = SpectacularJSONAPIView.as_view(authentication_classes=(), permission_classes=(AllowAny,))
docs = SpectacularSwaggerView.as_view(url_name="openapi", authentication_classes=(), permission_classes=(AllowAny,))

urlpatterns = [
    # What is asked for most often is found first.
    path("api/v1/", include("feed.urls")),
    path("api/v1/", include("tweets.urls")),
    path("api/v1/", include("accounts.urls")),
    path("api/v1/openapi.json", openapi, name="openapi"),
    path("api/docs/", docs, name="docs"),
    path("graphql", GraphQLEndpoint.as_view(), name="graphql"),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]

handler400 = "config.http.problems.handler400"
handler403 = "config.http.problems.handler403"
handler404 = "config.http.problems.handler404"
handler500 = "config.http.problems.handler500"
