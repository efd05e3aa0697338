"""What every search index promises."""

from collections.abc import Iterator

import pytest
from django.test import override_settings

from storage.ids.snowflakes import MAX_ID
from tests.ids import new_id
from tweets.search.port import BATCH_MAX, WORD_MAX, WORDS_MAX, Document, IndexQuery, SearchIndex, engine

ENGINES = ["embedded", pytest.param("opensearch", marks=pytest.mark.opensearch)]


@pytest.fixture(params=ENGINES)
def index(request: pytest.FixtureRequest) -> Iterator[SearchIndex]:
    """An empty index of that engine."""
    url = request.param
    if url == "opensearch":
        url = request.getfixturevalue("opensearch").url("contract")
    with override_settings(SEARCH_URL=url):
        made = engine()
        _empty(made)
        yield made
        _empty(made)


def _empty(index: SearchIndex) -> None:
    while ids := index.find(IndexQuery(), limit=BATCH_MAX):
        index.remove(ids)
        index.refresh()


def document(*words: str, author: int = 7, tags: tuple[str, ...] = (), of: int | None = None) -> Document:
    return Document(id=of or new_id(), author_id=author, words=words, hashtags=tags)


def kept(index: SearchIndex, *documents: Document) -> None:
    index.put(documents)
    index.refresh()


def words(*given: str) -> IndexQuery:
    return IndexQuery(phrases=tuple((word,) for word in given))


def phrase(*given: str) -> IndexQuery:
    return IndexQuery(phrases=(given,))


def test_finds_nothing_in_an_empty_index(index: SearchIndex) -> None:
    assert index.find(IndexQuery(), limit=10) == []
    assert index.find(words("cat"), limit=10) == []
    assert (index.count(), index.newest()) == (0, None)


def test_finds_documents_that_have_all_words_newest_first(index: SearchIndex) -> None:
    first, second, third = document("the", "cat"), document("a", "cat", "sat"), document("the", "dog")
    kept(index, second, first, third)
    assert index.find(words("cat"), limit=10) == [second.id, first.id]
    assert index.find(words("cat", "the"), limit=10) == [first.id]
    assert index.find(words("cat", "dog"), limit=10) == []
    assert index.find(words("ca"), limit=10) == [], "a part of a word"
    assert index.find(IndexQuery(), limit=10) == [third.id, second.id, first.id]
    assert index.newest() == third.id


def test_a_phrase_is_of_words_that_follow_one_another(index: SearchIndex) -> None:
    right = document("new", "york", "city")
    kept(index, right, document("york", "new"), document("new", "old", "york"))
    assert index.find(phrase("new", "york"), limit=10) == [right.id]
    assert index.find(phrase("york", "city"), limit=10) == [right.id]
    assert index.find(phrase("new", "york", "city", "hall"), limit=10) == []


def test_a_word_may_be_asked_for_twice_in_a_row(index: SearchIndex) -> None:
    twice = document("東", "京", "東", "京")
    kept(index, twice, document("東", "京"))
    assert index.find(phrase("東", "京", "東"), limit=10) == [twice.id]


def test_leaves_out_what_has_a_phrase_that_is_not_wanted(index: SearchIndex) -> None:
    plain, both = document("cat"), document("cat", "dog")
    kept(index, plain, both)
    query = IndexQuery(phrases=(("cat",),), without=(("dog",),))
    assert index.find(query, limit=10) == [plain.id]
    assert index.find(IndexQuery(without=(("cat", "dog"),)), limit=10) == [plain.id]
    assert index.find(IndexQuery(without=(("cat",), ("dog",))), limit=10) == []


def test_finds_by_authors_and_hashtags(index: SearchIndex) -> None:
    ada, bob = document("cat", author=1, tags=("berlin", "rain")), document("cat", author=12, tags=("berlin",))
    kept(index, ada, bob)
    assert index.find(IndexQuery(authors=(1,)), limit=10) == [ada.id]
    assert index.find(IndexQuery(authors=(1, 12)), limit=10) == [bob.id, ada.id]
    assert index.find(IndexQuery(authors=(2,)), limit=10) == []
    assert index.find(IndexQuery(hashtags=("berlin",)), limit=10) == [bob.id, ada.id]
    assert index.find(IndexQuery(hashtags=("berlin", "rain")), limit=10) == [ada.id]
    assert index.find(IndexQuery(hashtags=("rain",), authors=(12,)), limit=10) == []
    assert index.find(words("berlin"), limit=10) == [], "a hashtag is no word unless it is among the words"
    for other in ("1", "a1", "d", "t"):
        assert index.find(words(other), limit=10) == [], "nor is an author, or whatever stands for one"


@pytest.mark.parametrize("tag", ["صلى الله عليه وسلم", "a_b", "日本語", "x" * 280, "e\u0301", "ß·ß", "\u200cن", "1a"])
def test_names_of_hashtags_are_compared_whole(index: SearchIndex, tag: str) -> None:
    tagged = document("cat", tags=(tag,))
    kept(index, tagged, document("cat", tags=(tag + "y",)), document("cat", tags=(tag[:-1] or "z",)))
    assert index.find(IndexQuery(hashtags=(tag,)), limit=10) == [tagged.id]


WORDS = "é ß ſ ı 日 한 ไทย हिन्दी שלום 👩🏽\u200d🚀 🇩🇪 #⃣ *⃣ 1⃣ and or not near _ __init__ ά \u0301 ٣ ½ i̇ İ \U000e0067"


@pytest.mark.parametrize("word", [*WORDS.split(), "a" * WORD_MAX, "𐍈" * WORD_MAX])
def test_a_word_is_found_as_it_is_and_no_other(index: SearchIndex, word: str) -> None:
    right = document("x", word, "y")
    kept(index, right, document("x", "y"), document("x", word + "a", "y"))
    assert index.find(words(word), limit=10) == [right.id]
    assert index.find(phrase("x", word, "y"), limit=10) == [right.id]


def test_words_are_neither_folded_nor_stemmed(index: SearchIndex) -> None:
    kept(index, document("é"), document("straße"), document("cats"))
    for other in ("e", "e\u0301", "strasse", "cat"):
        assert index.find(words(other), limit=10) == [], other


def test_goes_on_below_and_stops_above(index: SearchIndex) -> None:
    ids = [new_id() for _ in range(7)]
    kept(index, *(document("cat", of=each) for each in ids))
    down = ids[::-1]
    assert index.find(words("cat"), limit=3) == down[:3]
    assert index.find(words("cat"), below=down[2], limit=3) == down[3:6]
    assert index.find(words("cat"), below=down[5], limit=3) == down[6:]
    assert index.find(words("cat"), above=ids[2], limit=10) == down[:4]
    assert index.find(words("cat"), above=ids[2], below=ids[5], limit=10) == [ids[4], ids[3]]
    assert index.find(IndexQuery(), above=ids[2], below=ids[5], limit=10) == [ids[4], ids[3]]
    assert index.find(words("cat"), above=ids[2], below=ids[2], limit=10) == []


def test_ids_are_kept_to_the_last_bit(index: SearchIndex) -> None:
    ids = [1, 2**53, 2**53 + 1, MAX_ID - 2, MAX_ID - 1]
    kept(index, *(document("cat", author=MAX_ID - 7, of=each) for each in ids))
    assert index.find(IndexQuery(authors=(MAX_ID - 7,)), limit=10) == ids[::-1]
    assert index.find(IndexQuery(authors=(MAX_ID - 8,)), limit=10) == []
    assert index.newest() == MAX_ID - 1


def test_putting_again_takes_the_place(index: SearchIndex) -> None:
    old = document("cat", tags=("a",), author=1)
    kept(index, old)
    kept(index, old)
    assert index.count() == 1
    kept(index, document("dog", tags=("b",), author=2, of=old.id))
    assert index.find(words("cat"), limit=10) == index.find(IndexQuery(hashtags=("a",)), limit=10) == []
    assert index.find(IndexQuery(authors=(1,)), limit=10) == []
    assert index.find(words("dog"), limit=10) == index.find(IndexQuery(authors=(2,)), limit=10) == [old.id]
    assert index.count() == 1


def test_of_one_id_put_twice_together_the_last_holds(index: SearchIndex) -> None:
    first = document("cat")
    kept(index, first, document("dog", of=first.id))
    assert index.find(words("cat"), limit=10) == []
    assert index.find(words("dog"), limit=10) == [first.id]


def test_removes(index: SearchIndex) -> None:
    stays, goes = document("cat"), document("cat")
    kept(index, stays, goes)
    for _ in range(2):
        index.remove([goes.id, new_id()])
        index.refresh()
        assert index.find(words("cat"), limit=10) == [stays.id]
    assert index.count() == 1
    index.remove([])
    kept(index, goes)
    assert index.find(words("cat"), limit=10) == [goes.id, stays.id], "put back"


def test_takes_a_whole_batch_of_the_largest(index: SearchIndex) -> None:
    ids = [new_id() for _ in range(BATCH_MAX)]
    index.put([document(*(["wörd"] * 20), of=each) for each in ids])
    kept(index, document(*("𐍈" * WORD_MAX for _ in range(WORDS_MAX)), of=ids[0]))
    assert index.find(IndexQuery(), limit=BATCH_MAX) == ids[::-1]
    assert index.find(IndexQuery(phrases=(("𐍈" * WORD_MAX,) * 9,)), limit=2) == [ids[0]]
    index.remove(ids)
    index.refresh()
    assert index.count() == 0


def test_what_is_put_and_removed_leaves_it_the_same_index(index: SearchIndex) -> None:
    identity, goes = index.identity(), document("cat")
    kept(index, goes)
    index.remove([goes.id])
    assert index.identity() == identity != ""


def test_takes_a_document_without_words(index: SearchIndex) -> None:
    silent = document(author=5)
    kept(index, silent)
    assert index.find(IndexQuery(authors=(5,)), limit=10) == index.find(IndexQuery(), limit=10) == [silent.id]


def test_answers_that_it_is_there(index: SearchIndex) -> None:
    index.ping()
