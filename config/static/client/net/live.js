// The home timeline as it happens, over /ws/feed. A lost connection is taken up again where it was left: the cursor of
// the newest frame is safe to resume from, and what comes twice is dropped by whoever shows it.
import { tell } from "../events.js";
import { end, token } from "./session.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const CROWDED_WAIT_MS = 20_000;
const PING_EVERY_MS = 25_000;
const PONG_WITHIN_MS = 10_000;
const CLOSED = { NOT_AUTHENTICATED: 4401, FORBIDDEN: 4403, TOO_MANY: 4429 };

let socket = null;
let cursor = null;
let isBehind = false;
let failures = 0;
let waiting = null;
let pinging = null;
let state = "off";

/** Returns off, connecting, live, waiting (to try again) or offline. */
export const connection = () => state;

/** Connects if someone is signed in, and stays connected until nobody is. */
export function start() {
  stop();
  if (token()) connect();
}

/** Goes on behind that place of the home timeline: what lies above it comes, and may come twice. A timeline that is
 *  empty has no such place: what came into it before the stream began is not told, but that something may have. */
export function follow(after) {
  cursor = after ?? cursor;
  isBehind = !cursor && state !== "live";
  if (state === "live") subscribe();
}

export function stop() {
  clearTimeout(waiting);
  clearInterval(pinging);
  cursor = null;
  isBehind = false;
  failures = 0;
  leave();
  become("off");
}

function become(name) {
  if (state === name) return;
  state = name;
  tell("connection", name);
}

function connect() {
  clearTimeout(waiting);
  if (!navigator.onLine) return become("offline");
  become("connecting");
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const opened = new WebSocket(`${scheme}//${location.host}/ws/feed`, ["feed.v1", "bearer", token()]);
  socket = opened;
  opened.addEventListener("message", ({ data }) => socket === opened && take(JSON.parse(data)));
  opened.addEventListener("close", ({ code, reason }) => socket === opened && lost(code, reason));
  keepAlive(opened);
}

/** A connection that does not answer is as good as lost, which the browser may not notice for minutes. */
function keepAlive(opened) {
  clearInterval(pinging);
  let heard = Date.now();
  opened.addEventListener("message", () => (heard = Date.now()));
  pinging = setInterval(() => {
    if (Date.now() - heard > PING_EVERY_MS + PONG_WITHIN_MS) lost();
    else if (opened.readyState === WebSocket.OPEN) opened.send(JSON.stringify({ type: "ping" }));
  }, PING_EVERY_MS);
}

function leave() {
  const left = socket;
  socket = null;
  left?.close();
}

function lost(code) {
  const ended = token();
  clearInterval(pinging);
  leave();
  if (code === CLOSED.NOT_AUTHENTICATED) return end({ because: "You have been signed out.", ofToken: ended });
  if (code === CLOSED.FORBIDDEN) return become("off");
  isBehind = !cursor;
  failures += 1;
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
  const wait = (code === CLOSED.TOO_MANY ? CROWDED_WAIT_MS : longest) * (0.5 + Math.random() / 2);
  become(navigator.onLine ? "waiting" : "offline");
  waiting = setTimeout(connect, wait);
}

function subscribe() {
  const after = cursor ? { after: cursor } : {};
  socket.send(JSON.stringify({ type: "subscribe", stream: "home", ...after }));
}

function take(frame) {
  if (frame.type === "ready") {
    become("live");
    subscribe();
  } else if (frame.type === "subscribed") {
    failures = 0;
    if (isBehind) tell("gap");
    isBehind = false;
  } else if (frame.type === "tweet") {
    cursor = frame.cursor;
    tell("arrived", frame);
  } else if (frame.type === "delete") {
    tell("gone", [frame.id]);
  } else if (frame.type === "gap") {
    tell("gap");
  } else if (frame.type === "error" && frame.code === "rate_limited") {
    clearTimeout(waiting);
    waiting = setTimeout(() => state === "live" && subscribe(), frame.retry_after_seconds * 1_000);
  }
}

/** There is no need to wait when the network is back, or someone looks. */
function hurry() {
  if (state === "waiting" || state === "offline") connect();
}

addEventListener("online", hurry);
addEventListener("offline", () => ["live", "connecting", "waiting"].includes(state) && lost());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && hurry());
