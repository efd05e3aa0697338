// Who is signed in. The token is kept for this tab, or, if asked to stay signed in, on this device; never in an
// address.
import { tell } from "../events.js";

const KEY = "session";
let session = read();

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
  forget();
  (stay ? localStorage : sessionStorage).setItem(KEY, JSON.stringify(session));
  tell("session");
}

/** Keeps one's own account as it is now. */
export function keep(user) {
  if (session?.user.id !== user.id || JSON.stringify(session.user) === JSON.stringify(user)) return;
  session = { ...session, user };
  const place = sessionStorage.getItem(KEY) ? sessionStorage : localStorage;
  place.setItem(KEY, JSON.stringify(session));
  tell("person", user);
}

/** Ends the session here; `because` is shown. Of another token than the present one it is told too late. */
export function end({ because = "", ofToken = token() } = {}) {
  if (!session || ofToken !== session.token) return;
  session = null;
  forget();
  tell("session", because);
}

function forget() {
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
}

// Another tab signed out of a session that is shared, or into one.
addEventListener("storage", (event) => {
  if (event.key !== KEY || sessionStorage.getItem(KEY)) return;
  session = read();
  tell("session");
});
