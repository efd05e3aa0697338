"""The pieces of the OpenAPI document that every REST door shares: envelopes and page parameters."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from storage.web.paging import DEFAULT_LIMIT, MAX_LIMIT

EXAMPLE_ID = "1745893026153750528"
EXAMPLE_TIME = "2026-11-22T18:48:10.123Z"


class Document(serializers.Serializer[object]):
    # What an answer holds, for the OpenAPI document; a docstring here would stand there for each that has none.
    pass


PREV_CURSOR = (
    "Give it as `since` to ask for what is newer. Nothing that becomes visible later is skipped, though it may stand "
    "below what was shown already; items may then come twice: drop them by their id."
)


class PageMeta(Document):
    next_cursor = serializers.CharField(allow_null=True, help_text="Goes back in time; null at the end.")
    prev_cursor = serializers.CharField(allow_null=True, help_text=PREV_CURSOR)
    limit = serializers.IntegerField()


class PageLinks(Document):
    """Paths with their query, relative to this server; whole URLs if you asked with `links=absolute`."""

    self = serializers.CharField()
    next = serializers.CharField(allow_null=True)
    prev = serializers.CharField(allow_null=True)


ID_PATTERN = "^[1-9][0-9]{0,18}$"


def id_field(help_text: str = "") -> serializers.CharField:
    """Returns the field of a snowflake as it travels: a decimal string."""
    return serializers.CharField(help_text=help_text or "A snowflake: a decimal string; newer is larger.")


def envelope_of(name: str, data: Document) -> serializers.Serializer[object]:
    """Returns `{"data": …}` as the component `name`."""
    return inline_serializer(name=name, fields={"data": data})


def collection_of(name: str, item: type[Document]) -> serializers.Serializer[object]:
    """Returns `{"data": […], "meta": …, "links": …}` as the component `name`."""
    return page_envelope_of(name, item(many=True))


def page_envelope_of(name: str, data: Document) -> serializers.Serializer[object]:
    """Returns `{"data": …, "meta": …, "links": …}` as the component `name`, for data that holds one page."""
    return inline_serializer(name=name, fields={"data": data, "meta": PageMeta(), "links": PageLinks()})


def listing_parameter(name: str, item: dict[str, str], description: str, *, required: bool) -> OpenApiParameter:
    """Returns the query parameter of a look-up of several things (storage/web/look_ups.py)."""
    return OpenApiParameter(
        name,
        {"type": "array", "items": item, "minItems": 1, "maxItems": MAX_LIMIT, "uniqueItems": True},
        required=required,
        style="form",
        explode=False,
        description=f"{description} Up to {MAX_LIMIT}, parted by commas, none of them twice.",
    )


IN_ORDER = (
    "In the order asked for. What is not there, or hidden from you, is left out, as its own path answers 404. The "
    "envelope is that of a collection, which has no other page."
)
IDS = {"type": "string", "pattern": ID_PATTERN}
PAGE_PARAMETERS = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        description="How many items a page has.",
    ),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="Goes back in time from here (`next_cursor`)."),
    OpenApiParameter(
        "since",
        OpenApiTypes.STR,
        description="The nearest items above this cursor (`prev_cursor`), newest first; go on with the answer's own "
        "`prev_cursor`, also of an empty page. Not together with `cursor`.",
    ),
    OpenApiParameter(
        "links",
        {"type": "string", "enum": ["path", "absolute"], "default": "path"},
        description="What `links` and the `Link` field are: paths, or whole URLs.",
    ),
    OpenApiParameter(
        "Link",
        str,
        OpenApiParameter.HEADER,
        response=[200],
        description='The neighbouring pages as RFC 8288 says: `<…>; rel="next", <…>; rel="prev"`, each if there is '
        "one.",
    ),
]
