// What a tweet's menu offers, by whose it is.
import { writeOnce } from "../net/api.js";
import { me } from "../net/session.js";
import { tell } from "../events.js";
import { confirmFirst } from "./dialogs.js";
import { complain, notice } from "./notices.js";
import { blockPerson, mutePerson } from "./people.js";
import { report } from "./reporting.js";

export function choicesFor(tweet) {
  const { username } = tweet.author;
  const copy = ["Copy link", () => copyLink(`/@${username}/${tweet.id}`)];
  if (!me()) return [copy];
  if (tweet.author.id === me().id) return [copy, ["Delete", () => askToDelete(tweet), true]];
  return [
    copy,
    [`Mute @${username}`, () => mutePerson(username)],
    [`Block @${username}`, () => blockPerson(username), true],
    ["Report", () => report({ tweet_id: tweet.id }, `this tweet by @${username}`), true],
  ];
}

async function copyLink(path) {
  try {
    await navigator.clipboard.writeText(location.origin + path);
    notice("Link copied.");
  } catch {
    complain(new Error());
  }
}

function askToDelete(tweet) {
  confirmFirst(
    { title: "Delete this tweet?", text: "It leaves every timeline, and cannot be brought back.", action: "Delete" },
    async () => {
      await erase(tweet);
      tell("gone", [tweet.id]);
      notice("Deleted.");
    },
  );
}

/** One that is not there is as good as deleted: by a try whose answer was lost, or in another window. */
async function erase(tweet) {
  try {
    await writeOnce("DELETE", `/tweets/${tweet.id}`);
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}
