"""What the address of an index says, and that nothing of it is quoted when it is refused."""

import pytest

from tweets.search.addresses import Address, address_of

CASES = {
    "opensearch://search/tweets": Address(False, (("search", 9200),), "tweets"),
    "opensearch://10.0.0.1:9201/t-2_x": Address(False, (("10.0.0.1", 9201),), "t-2_x"),
    "opensearch://a,b:1,[::1]:2,[fe80::1]/tweets": Address(
        False, (("a", 9200), ("b", 1), ("::1", 2), ("fe80::1", 9200)), "tweets"
    ),
    "opensearchs://u%3As:p%40%2Fw%3F@a/tweets?ca=/etc/ca.pem&shards=3&replicas=0": Address(
        True, (("a", 9200),), "tweets", "u:s", "p@/w?", "/etc/ca.pem", 3, 0
    ),
    "opensearchs://u:p@a/tweets?replicas=2": Address(True, (("a", 9200),), "tweets", "u", "p", replicas=2),
}
SECRET = "hunter2"


@pytest.mark.parametrize("url", CASES)
def test_an_address_says_where_and_as_whom(url: str) -> None:
    assert address_of(url) == CASES[url]


@pytest.mark.parametrize(
    "url",
    [
        f"https://u:{SECRET}@a/tweets",
        f"opensearch+http://u:{SECRET}@a/tweets",
        f"{SECRET}",
        f"opensearch://u:{SECRET}@a",
        f"opensearch://u:{SECRET}@a/",
        f"opensearch://u:{SECRET}@a/Tweets",
        f"opensearch://u:{SECRET}@a/_all",
        f"opensearch://u:{SECRET}@a/tweets/other",
        f"opensearch://u:{SECRET}@a/tweets,others",
        f"opensearch://u:{SECRET}@a/*",
        f"opensearch://u:{SECRET}/x@a/tweets",
        f"opensearch://u:{SECRET}?x@a/tweets",
        f"opensearch://u:{SECRET}:x@a/tweets",
        f"opensearch://u:{SECRET}@x@a/tweets",
        f"opensearch://:{SECRET}@a/tweets",
        f"opensearch://{SECRET}@a/tweets",
        f"opensearch://u:{SECRET}@/tweets",
        f"opensearch://u:{SECRET}@a,/tweets",
        f"opensearch://u:{SECRET}@a:0/tweets",
        f"opensearch://u:{SECRET}@a:65536/tweets",
        f"opensearch://u:{SECRET}@a:x/tweets",
        f"opensearch://u:{SECRET}@a:²/tweets",
        f"opensearch://u:{SECRET}@a b/tweets",
        f"opensearch://u:{SECRET}@[::1/tweets",
        f"opensearch://u:{SECRET}@a/tweets?ca=/x",
        f"opensearchs://u:{SECRET}@a/tweets?verify=no",
        f"opensearchs://u:{SECRET}@a/tweets?shards=0",
        f"opensearchs://u:{SECRET}@a/tweets?shards=101",
        f"opensearchs://u:{SECRET}@a/tweets?replicas=-1",
        f"opensearchs://u:{SECRET}@a/tweets?replicas=",
        f"opensearchs://u:{SECRET}@a/tweets#x",
    ],
)
def test_what_cannot_be_meant_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|has|names) ") as refused:
        address_of(url)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
