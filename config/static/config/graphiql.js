"use strict";

/* GraphiQL with a token and examples. Nothing is kept but in this tab: neither the token nor what was typed. */

const TOKEN = "feed-token";
const WEB_SOCKET = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`;
/* A text editor takes Tab for itself; here it leads on, as everywhere on the page. */
const LEADS_ON = { Tab: false, "Shift-Tab": false };

const field = document.querySelector("#token");
const who = document.querySelector("#who");
const example = document.querySelector("#example");
let editor = null;

/* Lower case, as it is the name in connection_init, too. */
function authorization() {
  const token = field.value.trim();
  return token ? { authorization: `Bearer ${token}` } : {};
}

const ask = GraphiQL.createFetcher({ url: "/graphql", subscriptionUrl: WEB_SOCKET, enableIncrementalDelivery: false });

async function fetcher(asked, options) {
  const answer = await ask(asked, { ...options, headers: { ...authorization(), ...options?.headers } });
  return Symbol.asyncIterator in Object(answer) ? inWords(answer) : answer;
}

/* The same events; that there is no socket is an error in words, as how one closed is already. */
function inWords(events) {
  const source = events[Symbol.asyncIterator]();
  const failed = (why) => {
    throw why instanceof Event ? new Error("The socket cannot be opened.") : why;
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => source.next().catch(failed),
    return: () => source.return(),
  };
}

async function sayWho() {
  sessionStorage.setItem(TOKEN, field.value.trim());
  if (!field.value.trim()) {
    who.textContent = "";
    return;
  }
  try {
    const answer = await ask({ query: "{ me { username } }" }, { headers: authorization() });
    who.textContent = answer.data?.me ? `@${answer.data.me.username}` : answer.detail ?? "nobody";
  } catch (error) {
    who.textContent = error.message;
  }
}

function open({ query, variables }) {
  ReactDOM.flushSync(() => editor.addTab());
  editor.queryEditor.setValue(query);
  editor.variableEditor.setValue(variables ? JSON.stringify(variables, null, 2) : "");
  editor.queryEditor.focus();
}

/* Where GraphiQL has its logo: who stands there may ask for its editors. */
function Editors() {
  editor = GraphiQL.React.useEditorContext({ nonNull: true });
  const { queryEditor, variableEditor, headerEditor, responseEditor } = editor;
  React.useEffect(() => {
    for (const each of [queryEditor, variableEditor, headerEditor, responseEditor]) {
      each?.addKeyMap(LEADS_ON);
      each?.setOption("lineWrapping", true);
    }
  }, [queryEditor, variableEditor, headerEditor, responseEditor]);
  return null;
}

field.value = sessionStorage.getItem(TOKEN) ?? "";
field.addEventListener("change", sayWho);
document.querySelector("#signing-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sayWho();
});
for (const name of Object.keys(EXAMPLES)) {
  example.append(new Option(name));
}
document.querySelector("#examples").addEventListener("submit", (event) => {
  event.preventDefault();
  open(EXAMPLES[example.value]);
});
sayWho();

ReactDOM.createRoot(document.querySelector("#graphiql")).render(
  React.createElement(
    GraphiQL,
    {
      fetcher,
      storage: sessionStorage,
      defaultQuery: EXAMPLES["Public timeline"].query,
      defaultEditorToolsVisibility: true,
      showPersistHeadersSettings: false,
    },
    React.createElement(GraphiQL.Logo, null, React.createElement(Editors)),
  ),
);
