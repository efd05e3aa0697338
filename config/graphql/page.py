"""GraphiQL, for browsers that open /graphql: a page to write documents on, with the schema beside them.

Everything that it loads is served from here (deploy/graphiql.py says where it comes from). It holds nothing of who
asks: the token is typed into it, kept by the browser until the tab is closed, and sent as any client sends it.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from config.http.pages import prefers_a_page
from config.http.security_headers import GRAPHIQL_PAGE, POLICY

DOCUMENT_PARAMETERS = ("query", "extensions")
"""Of a GET that is executed, whatever the client accepts."""


def wants_page(request: HttpRequest) -> bool:
    """Returns whether a browser opens the address itself, and no document of it is asked for."""
    return request.method in ("GET", "HEAD") and prefers_a_page(request) and not _names_a_document(request)


def _names_a_document(request: HttpRequest) -> bool:
    """Looks at the address without reading it, which is counted."""
    parameters = request.META.get("QUERY_STRING", "").split("&")
    return any(each.partition("=")[0] in DOCUMENT_PARAMETERS for each in parameters)


def has_page() -> bool:
    """Returns whether there is one."""
    chosen: bool | None = settings.GRAPHIQL
    return not settings.PRODUCTION if chosen is None else chosen


def page() -> HttpResponse:
    """Returns the page, the same for everybody."""
    return HttpResponse(render_to_string("config/graphiql.html"), headers={POLICY: GRAPHIQL_PAGE, "Vary": "Accept"})
