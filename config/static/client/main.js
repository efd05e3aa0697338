// The page to try the product on: what is shown at which address, and who keeps it going.
import { on } from "./events.js";
import { read } from "./net/api.js";
import { start } from "./net/live.js";
import { keep, token } from "./net/session.js";
import { startNews } from "./parts/news.js";
import { addNotices, notice } from "./parts/notices.js";
import { begin, restart } from "./router.js";
import { addShell } from "./shell.js";
import { blocksView, bookmarksView, followRequestsView, mutesView } from "./views/own_lists.js";
import { confirmEmailView } from "./views/confirm_email.js";
import { findView } from "./views/find.js";
import { hashtagView } from "./views/hashtag.js";
import { homeView } from "./views/home.js";
import { mutedWordsView } from "./views/muted_words.js";
import { notificationsView } from "./views/notifications.js";
import { nowhereView } from "./views/nowhere.js";
import { profileView } from "./views/profile.js";
import { publicView } from "./views/public.js";
import { searchView } from "./views/search.js";
import { settingsView } from "./views/settings.js";
import { signInView, signUpView } from "./views/sign_in.js";
import { tweetView, whoView } from "./views/tweet.js";

const ROUTES = [
  [/^\/$/, homeView],
  [/^\/public$/, publicView],
  [/^\/search$/, searchView],
  [/^\/find$/, findView],
  [/^\/notifications$/, notificationsView],
  [/^\/bookmarks$/, bookmarksView],
  [/^\/blocks$/, blocksView],
  [/^\/mutes$/, mutesView],
  [/^\/muted-words$/, mutedWordsView],
  [/^\/follow-requests$/, followRequestsView],
  [/^\/settings$/, settingsView],
  [/^\/confirm-email$/, confirmEmailView],
  [/^\/sign-in$/, signInView],
  [/^\/sign-up$/, signUpView],
  [/^\/hashtag\/(?<tag>[^/]+)$/, hashtagView],
  [/^\/@(?<username>\w+)$/, profileView],
  [/^\/@(?<username>\w+)\/(?<part>replies|likes|followers|following)$/, profileView],
  [/^\/@\w+\/(?<id>\d+)$/, tweetView],
  [/^\/@(?<username>\w+)\/(?<id>\d+)\/(?<part>likes|retweets)$/, whoView],
  [/^/, nowhereView],
];

const main = addShell(document.body);
addNotices(document.body);
begin(main, ROUTES);
start();
startNews();
if (token()) read("/me").then(({ data }) => keep(data), () => {});
on("session", (because) => {
  start();
  startNews();
  restart(because ? "/sign-in" : "/");
  if (because) notice(because);
});
