"""The REST doors of muted words: which there are, muting one, and letting it go."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.sessions.authentication import required_viewer
from feed.models import MUTED_WORD_MAX
from feed.notifications import muted_words
from feed.notifications.muted_words import MOST_KEYS, MOST_MUTED
from storage.web.openapi import (
    EXAMPLE_ID,
    EXAMPLE_TIME,
    PAGE_PARAMETERS,
    Document,
    collection_of,
    envelope_of,
    id_field,
)
from storage.web.rest import collection, page_request, refuse_fields, single

WORD = "As it is looked for: in small letters, and compatible forms of a character are one (NFKC)."
TYPED = f"A word, a phrase of several, or a hashtag with its sign: 1 to {MUTED_WORD_MAX} characters."
MATCHES = (
    "Whole words match, whatever their case, width or accents; of a phrase all of its words, side by side; of Chinese, "
    "Japanese, Korean, Thai, Lao, Khmer and Burmese the same characters side by side, as they have no spaces between "
    "words. A hashtag with its sign matches that hashtag alone, a word its hashtag as well."
)


@extend_schema_serializer(component_name="MutedWord")
class MutedWordDocument(Document):
    id = id_field()
    word = serializers.CharField(help_text=WORD)
    created_at = serializers.DateTimeField(help_text="When it was muted.")


EXAMPLE_WORD = {"id": EXAMPLE_ID, "word": "season finale", "created_at": EXAMPLE_TIME}
MUTED_WORD = envelope_of("MutedWordEnvelope", MutedWordDocument())
MUTED_WORDS = collection_of("MutedWordCollection", MutedWordDocument)
MUTED_WORDS_EXAMPLE = OpenApiExample(
    "A page",
    value={
        "data": [EXAMPLE_WORD],
        "meta": {"next_cursor": None, "prev_cursor": "GDodEXAMPLE", "limit": 20},
        "links": {
            "self": "/api/v1/me/muted-words",
            "next": None,
            "prev": "/api/v1/me/muted-words?limit=20&since=GDodEXAMPLE",
        },
    },
    response_only=True,
)
PATH_WORD = OpenApiParameter("word", str, OpenApiParameter.PATH, description=f"{TYPED} Percent-encoded.")


class MutedWordsEndpoint(APIView):
    @extend_schema(
        operation_id="muted_words",
        summary="Words that you have muted",
        description="The newest first.",
        tags=["me"],
        parameters=PAGE_PARAMETERS,
        responses={200: MUTED_WORDS},
        examples=[MUTED_WORDS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        asked = page_request(request)
        return Response(collection(request, asked, muted_words.muted_words_page(required_viewer(request), asked)))


class MutedWordEndpoint(APIView):
    @extend_schema(
        operation_id="mute_word",
        summary="Mute a word",
        description="Mentions, replies and quotes whose tweets have it are not among your notifications, those of the "
        f"past either, nor counted or told live; timelines and searches show them. {MATCHES} Idempotent: what matches "
        f"the same is muted once. Up to {MOST_MUTED}, of {MOST_KEYS:,} characters together.",
        tags=["me"],
        parameters=[PATH_WORD],
        request=None,
        responses={200: MUTED_WORD},
        examples=[OpenApiExample("Muted", value={"data": EXAMPLE_WORD}, response_only=True)],
    )
    def put(self, request: Request, word: str) -> Response:
        refuse_fields(request)
        return Response(single(muted_words.mute_word(required_viewer(request), word)))

    @extend_schema(
        operation_id="unmute_word",
        summary="Mute a word no more",
        description="What it hid notifies you again. Idempotent.",
        tags=["me"],
        parameters=[PATH_WORD],
        responses={204: None},
    )
    def delete(self, request: Request, word: str) -> Response:
        refuse_fields(request)
        muted_words.unmute_word(required_viewer(request), word)
        return Response(status=204)
