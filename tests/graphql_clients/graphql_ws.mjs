// Subscribes with graphql-ws: `node graphql_ws.mjs <address> <token> <cursor>`; a line for each event, until one is a deletion.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [url, token, after] = process.argv.slice(2);
const say = (said) => console.log(JSON.stringify(said));
const query = `subscription ($after: String) {
  homeTimeline(after: $after) { cursor deletedId gapAfter tweet { id text author { username } } }
}`;
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  retryAttempts: 0,
  keepAlive: 200,
  connectionParams: { authorization: `Bearer ${token}` },
});

const pong = new Promise((resolve) => client.on("pong", (received) => received && resolve()));
try {
  for await (const { data } of client.iterate({ query, variables: { after } })) {
    say(data.homeTimeline);
    if (!data.homeTimeline.deletedId) continue;
    await pong;
    break;
  }
  await client.iterate({ query: "subscription { weather }" }).next();
} catch (refused) {
  say({ refused: refused.code ?? refused[0].extensions.code });
}
await client.dispose();
