// People in lists, and what one can do about them: follow, mute, block.
import { writeOnce } from "../net/api.js";
import { me, token } from "../net/session.js";
import { tell } from "../events.js";
import { open } from "../router.js";
import { confirmFirst } from "./dialogs.js";
import { make } from "./dom.js";
import { complain, notice } from "./notices.js";
import { names } from "./quoted.js";
import { avatar } from "./text.js";

/** Returns a person as an article; `button` stands at its end. */
export function personCard(person, button = null) {
  return make(
    "article",
    { class: "person" },
    make(
      "a",
      { href: `/@${person.username}`, class: "author" },
      avatar(person),
      names(person),
    ),
    person.bio ? make("p", { class: "text bio", dir: "auto" }, person.bio) : null,
    button,
  );
}

/** Changes how one stands to someone, and returns how that is now. */
async function relate(method, username, kind) {
  const { data } = await writeOnce(method, `/users/${encodeURIComponent(username)}/${kind}`);
  return data;
}

/** Returns a button to follow and unfollow; `changed` is told how one stands to them after it. */
export function followButton(username, relationship, changed = () => {}) {
  const button = make("button", { type: "button", class: "follow" });
  function show({ following }) {
    button.textContent = following ? "Following" : "Follow";
    button.className = following ? "follow" : "follow primary";
    button.setAttribute("aria-pressed", String(following));
    button.setAttribute("aria-label", `${following ? "Following" : "Follow"} @${username}`);
  }
  button.addEventListener("click", async () => {
    if (!token()) return open("/sign-in");
    const before = relationship;
    button.disabled = true;
    try {
      relationship = await relate(before.following ? "DELETE" : "PUT", username, "follow");
      show(relationship);
      changed(relationship);
      notice(relationship.following ? `You follow @${username}.` : `You no longer follow @${username}.`);
    } catch (error) {
      complain(error);
    } finally {
      button.disabled = false;
      button.focus();
    }
  });
  show(relationship ?? { following: false });
  return button;
}

/** Returns a button that ends a block or a mute. */
export function endButton(username, kind, changed = () => {}) {
  const [label, ended] = kind === "block" ? ["Unblock", "unblocked"] : ["Unmute", "no longer muted"];
  const end = async () => {
    try {
      changed(await relate("DELETE", username, kind));
      notice(`@${username} is ${ended}.`);
    } catch (error) {
      complain(error);
    }
  };
  return make("button", { type: "button", "aria-label": `${label} @${username}`, onclick: end }, label);
}

export async function mutePerson(username, changed = () => {}) {
  try {
    changed(await relate("PUT", username, "mute"));
    tell("hidden", username);
    notice(`@${username} is muted.`);
  } catch (error) {
    complain(error);
  }
}

export function blockPerson(username, changed = () => {}) {
  const asked = {
    title: `Block @${username}?`,
    text: "Neither of you will see the other's tweets, nor follow the other.",
    action: "Block",
  };
  confirmFirst(asked, async () => {
    changed(await relate("PUT", username, "block"));
    tell("hidden", username);
    notice(`@${username} is blocked.`);
  });
}

export const isMe = (person) => person.username.toLowerCase() === me()?.username.toLowerCase();
