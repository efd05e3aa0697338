"""What OpenSearch is sent: bodies of a bounded size, and queries as trees."""

import msgspec

from storage.ids.snowflakes import MAX_ID
from tweets.search.opensearch_bodies import BULK_BYTES, putting, query_of, requests_of
from tweets.search.port import BATCH_MAX, WORD_MAX, WORDS_MAX, Document, IndexQuery


def test_a_batch_of_tweets_is_one_request_and_a_larger_one_several() -> None:
    tweets = [putting(Document(id=each, author_id=7, words=("wörd",) * 30)) for each in range(1, BATCH_MAX + 1)]
    assert list(requests_of(tweets)) == [b"".join(tweets)]
    large = [putting(Document(id=each, author_id=7, words=("𐍈" * WORD_MAX,) * WORDS_MAX)) for each in range(1, 101)]
    bodies = list(requests_of(large))
    assert b"".join(bodies) == b"".join(large)
    assert len(bodies) > 2
    assert max(map(len, bodies)) <= BULK_BYTES
    assert list(requests_of([])) == []


def test_a_document_larger_than_a_request_is_one_alone() -> None:
    lines = [b"x" * (BULK_BYTES + 1), b"y", b"z" * BULK_BYTES]
    assert [len(body) for body in requests_of(lines)] == [BULK_BYTES + 1, 1, BULK_BYTES]


def test_numbers_are_whole_and_texts_are_never_a_part_of_a_language() -> None:
    text = '"} , {"match_all": {}'
    query = IndexQuery(phrases=((text,), (text, "x")), without=((text,),), hashtags=(text,), authors=(MAX_ID - 1,))
    tree = query_of(query, 1, MAX_ID - 1)
    assert msgspec.json.decode(msgspec.json.encode(tree)) == tree
    assert tree["bool"]["filter"] == [
        {"term": {"words": text}},
        {"match_phrase": {"words": f"{text} x"}},
        {"term": {"hashtags": text}},
        {"terms": {"author": [str(MAX_ID - 1)]}},
        {"range": {"id": {"gt": 1, "lt": MAX_ID - 1}}},
    ]
    assert tree["bool"]["must_not"] == [{"term": {"words": text}}]
    assert query_of(IndexQuery(), 0, MAX_ID) == {"bool": {"filter": [], "must_not": []}}
