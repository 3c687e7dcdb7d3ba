// The page put together.

import { mayBeSignedIn, refresh, signIn, signOut } from "./account.js";
import { Composer } from "./composer.js";
import { ConversationView } from "./conversation.js";
import { byId, make } from "./elements.js";
import { Search } from "./search.js";
import { Sidebar } from "./sidebar.js";
import { Socket } from "./socket.js";
import { feature, problem, sentence } from "./words.js";

const banner = byId("banner");
const bannerAction = byId("banner-action");
const signInError = byId("sign-in-error");
const TYPING_MILLISECONDS = 3000;

const socket = new Socket();
let user = null;
let typingSent = 0;
let nextPage = "";
let degradations = [];

const composer = new Composer({
  send: (text) => view.send(text),
  stop: () => view.stop(),
  typing,
});
const view = new ConversationView(socket, {
  began: (id) => {
    remember(id);
    loadConversations();
  },
  changed: () => loadConversations(),
  running: (running) => (composer.running = running),
});
const sidebar = new Sidebar({
  open: (id) => open(id),
  create: () => open(""),
  older: () => loadConversations(nextPage),
});
const search = new Search({
  ask: (request) => socket.ask({ search: request }),
  title: titleOf,
  open: (id, messageId) => open(id, messageId),
  drawer: (opened) => sidebar.drawer(opened),
  closed: () => composer.focus(),
});

socket.addEventListener("welcome", ({ detail: welcome }) => {
  hideBanner();
  showDegradations(welcome.degradations ?? []);
  view.catchUp();
  search.again();
  loadConversations();
  socket.ask({ commands: {} }).then(
    ({ result }) => (composer.commands = result.commands?.commands ?? []),
    () => null,
  );
});
socket.addEventListener("frame", ({ detail: { frame, answers } }) => {
  if (frame.error && !answers) view.problem(frame.error);
  else if (frame.degraded) showDegradations([...degradations, frame.degraded]);
  else if (frame.typing) showTyping(frame.typing);
  else view.take(frame);
});
socket.addEventListener("waiting", ({ detail: { seconds } }) => {
  const wait = Math.ceil(seconds);
  showBanner(`The connection was lost. Trying again in ${wait} s.`, "Try now", () => {
    showBanner("Connecting…");
    socket.retryNow();
  });
});
socket.addEventListener("signed-out", () => showSignIn("Your session has ended. Sign in again."));
socket.addEventListener("closed", ({ detail: { code, reason } }) => {
  if (code === 3500) showSignIn("You were signed out.");
  else {
    const words = code === 3505 ? sentence({ reason: "REASON_CONNECTION_LIMIT" }) : reason;
    showBanner(words || "The connection was closed.", "Connect again", () => {
      hideBanner();
      socket.open();
    });
  }
});

byId("sign-in-form").onsubmit = async (event) => {
  event.preventDefault();
  const form = event.target;
  const submit = form.querySelector("[type=submit]");
  submit.disabled = true;
  signInError.hidden = true;
  try {
    const answer = await signIn(form.username.value.trim(), form.password.value);
    form.password.value = "";
    start(answer.user);
  } catch (refused) {
    complain(sentence(refused.envelope ?? problem("That did not work.")));
  } finally {
    submit.disabled = false;
  }
};
byId("sign-out").onclick = async () => {
  socket.close();
  await signOut();
  showSignIn();
};
addEventListener("hashchange", () => {
  const { id, messageId } = inAddress();
  if (user && (messageId || id !== view.id)) open(id, messageId);
});
addEventListener("online", () => socket.retryNow());

begin();

async function begin() {
  if (!mayBeSignedIn()) {
    showSignIn();
    return;
  }
  try {
    start((await refresh()).user);
  } catch (refused) {
    showSignIn(refused.status === 401 ? "" : sentence(refused.envelope));
  }
}

function start(who) {
  user = who;
  byId("who").textContent = who.name;
  byId("sign-in").hidden = true;
  byId("chat").hidden = false;
  socket.open();
  const { id, messageId } = inAddress();
  open(id, messageId);
}

function showSignIn(words = "") {
  user = null;
  socket.close();
  search.close();
  byId("chat").hidden = true;
  byId("sign-in").hidden = false;
  hideBanner();
  signInError.hidden = true;
  if (words) complain(words);
  byId("name").focus();
}

function complain(words) {
  signInError.textContent = words;
  signInError.hidden = false;
}

function open(id, messageId = "") {
  remember(id, messageId);
  byId("typing").textContent = "";
  if (!messageId) composer.focus();
  return view.open(id, messageId);
}

function remember(id, messageId = "") {
  sidebar.select(id);
  search.conversation = id;
  const address = id ? ["#", id, messageId].filter(Boolean).join("/") : "#/";
  if (location.hash !== address) history.pushState(null, "", address);
}

function inAddress() {
  const found = location.hash.match(/^#\/(conv_[0-9a-f]{32})(?:\/(msg_[0-9a-f]{32}))?$/);
  return { id: found?.[1] ?? "", messageId: found?.[2] ?? "" };
}

async function titleOf(id) {
  if (sidebar.title(id)) return sidebar.title(id);
  try {
    const { result } = await socket.ask({ conversation: { conversationId: id } });
    return result.conversation.conversation.title ?? "";
  } catch {
    return "";
  }
}

async function loadConversations(pageToken = "") {
  try {
    const { result } = await socket.ask({ conversations: { pageSize: 50, pageToken } });
    const page = result.conversations ?? {};
    nextPage = page.nextPageToken ?? "";
    sidebar.show(page.conversations ?? [], { first: !pageToken, another: Boolean(nextPage) });
  } catch (error) {
    if (!error.cut) showBanner(sentence(error));
  }
}

function typing(now) {
  const due = now ? Date.now() - typingSent > TYPING_MILLISECONDS : typingSent > 0;
  if (!due || !view.id) return;
  typingSent = now ? Date.now() : 0;
  socket.tell({ typing: { conversationId: view.id, typing: now } });
}

function showTyping(frame) {
  if (frame.conversationId !== view.id || frame.userId === user?.id) return;
  byId("typing").textContent = frame.typing ? "Somebody is typing…" : "";
}

function showDegradations(all) {
  degradations = all;
  const names = [...new Set(all.map((degradation) => degradation.feature))];
  byId("degraded").hidden = names.length === 0;
  byId("degradations").replaceChildren(
    ...names.map((name) => make("li", { textContent: feature(name) })),
  );
}

function showBanner(words, label = "", action = null) {
  byId("banner-text").textContent = words;
  bannerAction.hidden = !action;
  bannerAction.textContent = label;
  bannerAction.onclick = action;
  banner.hidden = false;
}

function hideBanner() {
  banner.hidden = true;
}
