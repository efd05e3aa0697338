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
  function show(relation) {
    const isOn = isFollowing(relation);
    const label = !isOn ? "Follow" : relation.following ? "Following" : "Requested";
    button.textContent = label;
    button.className = isOn ? "follow" : "follow primary";
    button.setAttribute("aria-pressed", String(isOn));
    button.setAttribute("aria-label", `${label} @${username}`);
  }
  button.addEventListener("click", async () => {
    if (!token()) return open("/sign-in");
    const before = relationship;
    button.disabled = true;
    try {
      relationship = await relate(isFollowing(before) ? "DELETE" : "PUT", username, "follow");
      show(relationship);
      changed(relationship);
      notice(saidOf(username, before, relationship));
    } catch (error) {
      complain(error);
    } finally {
      button.disabled = false;
      button.focus();
    }
  });
  show(relationship ?? { following: false, requested: false });
  return button;
}

/** Whether one follows them, or has asked to: what the button takes back. */
const isFollowing = (relation) => relation.following || relation.requested;

function saidOf(username, before, now) {
  if (now.following) return `You follow @${username}.`;
  if (now.requested) return `You have asked to follow @${username}.`;
  return before.requested ? `You no longer ask to follow @${username}.` : `You no longer follow @${username}.`;
}

/** Returns buttons to accept and to refuse somebody's request; `answered` is called once that is done. */
export function answerButtons(username, answered) {
  const answer = (method, said) => async () => {
    try {
      await writeOnce(method, `/me/follow-requests/${encodeURIComponent(username)}`);
      answered();
      notice(said);
    } catch (error) {
      complain(error);
    }
  };
  const accept = { type: "button", class: "primary", "aria-label": `Accept @${username}` };
  const refuse = { type: "button", "aria-label": `Refuse @${username}` };
  return make(
    "div",
    { class: "row" },
    make("button", { ...accept, onclick: answer("PUT", `@${username} follows you.`) }, "Accept"),
    make("button", { ...refuse, onclick: answer("DELETE", `@${username} is refused.`) }, "Refuse"),
  );
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
