"""The home timeline of 20 tweets through GraphQL, warm; beside REST's page, and graphene-django's own view (stock.py).

The readers, their tweets and what is cached are those of the home bench. Each of the three is asked in turn, by the
same people with the same generator, on production's web server; REST and GraphQL are the same processes.

"With authors" is what a client shows of a page; "all of REST's fields" names in GraphQL everything that REST answers
of a plain tweet. Where a request's time goes is measured besides, in one process without a network (shares.py).
"""

from collections.abc import Sequence

import httpx
import msgspec

from bench import home, shares
from bench.asked import RUNS, SECONDS, WARM_SECONDS, Asked, row
from bench.results import Result, Row, at_least
from bench.seeding import Person
from bench.stack import PRODUCT, Stack, web_command
from deploy.errors import CannotStart
from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import stop, wait_until

CONNECTIONS = (1, 32)
TO_REST, TO_STOCK = at_least(0.4), at_least(2.0)
AUTHOR = "author { id username displayName avatarUrl verified }"
REACTIONS = "counts { replies retweets quotes likes } viewer { liked retweeted bookmarked }"
SHOWN = f"id text createdAt {AUTHOR} {REACTIONS}"
ENTITIES = "entities { mentions { id username indices } hashtags { tag indices } urls { url indices } }"
EVERYTHING = f"{SHOWN} replyToId conversationId quoteOf {{ id }} retweetOf {{ id }} {ENTITIES}"


def body_of(fields: str) -> str:
    """The body that asks for a page of tweets with these fields."""
    document = (
        "query Home($first: Int) { homeTimeline(first: $first) { "
        f"edges {{ cursor node {{ {fields} }} }} pageInfo {{ hasNextPage startCursor endCursor }} }} }}"
    )
    return msgspec.json.encode({"query": document, "variables": {"first": home.PAGE}}).decode()


DOCUMENTS = {"with authors": body_of(SHOWN), "all of REST's fields": body_of(EVERYTHING)}


def measure(stack: Stack) -> Result:
    readers = home.seed()
    stock = f"http://{LOOPBACK}:{free_port()}"
    settings = {"DJANGO_SETTINGS_MODULE": "bench.stock_settings"}
    stock_web = stack.start(web_command(stock, PRODUCT, stack.size.web, name="stock"), settings)
    try:
        pages = home.read_once(stack.url + home.PATH, readers)
        wait_until(lambda: answers_200(f"{stock}/healthz"), seconds=30)
        sizes = {name: _same_from_both(stack.url, stock, readers[0], body) for name, body in DOCUMENTS.items()}
        tokens = [reader.token for reader in readers]
        rows = []
        for connections in CONNECTIONS:
            for name, body in DOCUMENTS.items():
                asked = [
                    Asked(f"{stack.url}/graphql", stack.pids()["web"], [body]),
                    Asked(stack.url + home.PATH, stack.pids()["web"], []),
                    Asked(f"{stock}/graphql", stock_web.pid, [body]),
                ]
                rows += _rows(name, asked, tokens, connections)
    finally:
        stop([stock_web], grace_seconds=5)
    told = {
        "readers": f"{home.READERS:,} in turn, as in the home bench",
        "bytes a page": f"REST {len(pages[0]):,}, " + ", ".join(f"{name} {size:,}" for name, size in sizes.items()),
        "web": f"{stack.size.web} processes of 4 threads, and as many of the stock view's, rate limits on",
        "runs": f"{RUNS} of {SECONDS:.0f} s, the three in turn, each after {WARM_SECONDS:.0f} s unmeasured",
    }
    notes = [shares.table(name, body, readers) for name, body in DOCUMENTS.items()]
    return Result("graphql", stack.env["STORE"], rows, told, notes=notes)


def _same_from_both(ours: str, stock: str, reader: Person, body: str) -> int:
    """How many bytes our answer has. Raises `CannotStart` if the two do not answer the same."""
    headers = {"Authorization": f"Bearer {reader.token}", "Content-Type": "application/json"}
    answers = [httpx.post(f"{url}/graphql", content=body, headers=headers, timeout=60) for url in (ours, stock)]
    found = [answer.raise_for_status().json() for answer in answers]
    if found[0] != found[1] or len(found[0]["data"]["homeTimeline"]["edges"]) != home.PAGE:
        raise CannotStart(f"The stock view answers something else: {answers[0].text}\n{answers[1].text}")
    return len(answers[0].content)


def _rows(name: str, asked: Sequence[Asked], tokens: Sequence[str], connections: int) -> list[Row]:
    case = f"{name}, {connections} connection{'s' if connections > 1 else ''}"
    runs = [[each.load(tokens, connections) for each in asked] for _ in range(RUNS)]
    ours, rest, stock = zip(*runs, strict=True)
    return [
        row(f"{case}, to REST", ours, "REST", rest, TO_REST),
        row(f"{case}, to the stock view", ours, "stock view", stock, TO_STOCK),
    ]
