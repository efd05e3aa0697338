"""Subscribes with gql: `python gql_client.py <address> <token> <cursor>`; a line an event, until one is a deletion."""

import asyncio
import json
import sys

from gql import Client, gql
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from gql.transport.websockets import WebsocketsTransport

QUERY = """
subscription ($after: String) {
  homeTimeline(after: $after) { cursor deletedId gapAfter tweet { id text author { username } } }
}
"""


async def main(url: str, token: str, after: str) -> None:
    transport = WebsocketsTransport(
        url=url,
        init_payload={"Authorization": f"Bearer {token}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        ping_interval=0.2,
        pong_timeout=5,
    )
    try:
        async with Client(transport=transport) as session:
            request = gql(QUERY)
            request.variable_values = {"after": after}
            async for answer in session.subscribe(request):
                say(answer["homeTimeline"])
                if answer["homeTimeline"]["deletedId"]:
                    break
            async for _ in session.subscribe(gql("subscription { weather }")):
                pass
    except TransportQueryError as refused:
        say({"refused": refused.errors[0]["extensions"]["code"]})
    except TransportConnectionFailed as refused:
        say({"refused": refused.__cause__.rcvd.code})


def say(said: object) -> None:
    print(json.dumps(said), flush=True)


asyncio.run(main(*sys.argv[1:]))
