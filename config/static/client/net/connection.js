// The one socket of the page, at /ws/feed: it comes back when it was lost. What is said over it is live.js's business.
import { tell } from "../events.js";
import { end, token } from "./session.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const CROWDED_WAIT_MS = 20_000;
const PING_EVERY_MS = 25_000;
const PONG_WITHIN_MS = 10_000;
const CLOSED = { NOT_AUTHENTICATED: 4401, FORBIDDEN: 4403, TOO_MANY: 4429 };
/** Frames that do not prove that all is well again. */
const PROVES_NOTHING = ["ready", "error"];

let socket = null;
let failures = 0;
let waiting = null;
let pinging = null;
let state = "off";
let hear = () => {};
/** Whether the server has said that it cannot look at the token: then its close says nothing about that. */
let isUnsure = false;

/** Returns off, connecting, live, waiting (to try again) or offline. */
export const connection = () => state;

/** Connects if someone is signed in, and stays connected until nobody is. `heard` is called with each frame: `ready` is
 *  the first of every connection. */
export function connect(heard) {
  stop();
  hear = heard;
  if (token()) open();
}

/** Sends a frame; nothing if there is no connection now. */
export function send(frame) {
  if (state === "live") socket.send(JSON.stringify(frame));
}

function stop() {
  clearTimeout(waiting);
  clearInterval(pinging);
  failures = 0;
  leave();
  become("off");
}

function become(name) {
  if (state === name) return;
  state = name;
  tell("connection", name);
}

function open() {
  clearTimeout(waiting);
  if (!navigator.onLine) return become("offline");
  become("connecting");
  isUnsure = false;
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const opened = new WebSocket(`${scheme}//${location.host}/ws/feed`, ["feed.v1", "bearer", token()]);
  socket = opened;
  opened.addEventListener("message", ({ data }) => socket === opened && take(JSON.parse(data)));
  opened.addEventListener("close", ({ code }) => socket === opened && lost(code));
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

function take(frame) {
  if (frame.type === "ready") become("live");
  if (frame.code === "unavailable" && state !== "live") isUnsure = true;
  if (!PROVES_NOTHING.includes(frame.type)) failures = 0;
  hear(frame);
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
  if (code === CLOSED.NOT_AUTHENTICATED && !isUnsure) {
    return end({ because: "You have been signed out.", ofToken: ended });
  }
  if (code === CLOSED.FORBIDDEN) return become("off");
  failures += 1;
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
  const wait = (code === CLOSED.TOO_MANY ? CROWDED_WAIT_MS : longest) * (0.5 + Math.random() / 2);
  become(navigator.onLine ? "waiting" : "offline");
  waiting = setTimeout(open, wait);
}

/** There is no need to wait when the network is back, or someone looks. */
function hurry() {
  if (state === "waiting" || state === "offline") open();
}

addEventListener("online", hurry);
addEventListener("offline", () => ["live", "connecting", "waiting"].includes(state) && lost());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && hurry());
