// Who is signed in. The token is kept for this tab, or, if asked to stay signed in, on this device; never in an
// address.
import { tell } from "../events.js";

const KEY = "session";
let session = read();
/** Where it is kept. Another one may be kept on the device meanwhile, for other tabs. */
let place = sessionStorage.getItem(KEY) ? sessionStorage : localStorage;

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

/** Returns the token; null when nobody is signed in. */
export const token = () => session?.token ?? null;

/** Returns one's own account; null when nobody is signed in. */
export const me = () => session?.user ?? null;

/** Begins a session with what the server answered; with `stay` it outlives the tab. */
export function begin({ token, user }, { stay }) {
  session = { token, user };
  place = stay ? localStorage : sessionStorage;
  sessionStorage.removeItem(KEY);
  place.setItem(KEY, JSON.stringify(session));
  tell("session");
}

/** Keeps one's own account as it is now. */
export function keep(user) {
  if (session?.user.id !== user.id || JSON.stringify(session.user) === JSON.stringify(user)) return;
  session = { ...session, user };
  place.setItem(KEY, JSON.stringify(session));
  tell("person", user);
}

/** Ends the session here; `because` is shown. Of another token than the present one it is told too late. */
export function end({ because = "", ofToken = token() } = {}) {
  if (!session || ofToken !== session.token) return;
  session = null;
  place.removeItem(KEY);
  tell("session", because);
}

// Another tab signed out of a session that is shared, or into one; or has changed the account.
addEventListener("storage", (event) => {
  if (event.key !== KEY || sessionStorage.getItem(KEY)) return;
  const before = token();
  session = read();
  place = localStorage;
  if (token() !== before) tell("session");
  else if (session) tell("person", session.user);
});
