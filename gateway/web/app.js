// The page put together.

import { mayBeSignedIn, refresh, signIn, signOut } from "./account.js";
import { Attachments } from "./attachments.js";
import { Composer } from "./composer.js";
import { ConversationView } from "./conversation.js";
import { byId, make } from "./elements.js";
import { Search } from "./search.js";
import { namesOf } from "./shown_files.js";
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

const attachments = new Attachments(socket, {
  changed: () => composer.look(),
  took: () => composer.focus(),
});
const composer = new Composer({
  send,
  held: () => attachments.busy,
  files: () => attachments.ready,
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
const search = new Search(socket, {
  open: ({ conversationId, ...message }) => {
    sidebar.drawer(false);
    open(conversationId, message.messageId ? message : null);
  },
  title,
  reveal: () => sidebar.reveal(),
  closed: () => composer.focus(),
});

socket.addEventListener("welcome", ({ detail: welcome }) => {
  hideBanner();
  showDegradations(welcome.degradations ?? []);
  view.catchUp();
  attachments.catchUp();
  search.catchUp();
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
  else if (frame.fileChanged) attachments.changed(frame.fileChanged);
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
  attachments.clear();
  socket.close();
  await signOut();
  showSignIn();
};
addEventListener("hashchange", () => {
  if (user && idInAddress() !== view.id) open(idInAddress());
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
  open(idInAddress());
}

function showSignIn(words = "") {
  user = null;
  socket.close();
  search.close();
  attachments.forget();
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

// Opens a conversation; with a message of it, {messageId, sequence}, at that place.
function open(id, message = null) {
  if (message && id === view.id) return view.seek(message);
  remember(id);
  byId("typing").textContent = "";
  composer.focus();
  return view.open(id, message);
}

function remember(id) {
  sidebar.select(id);
  const address = id ? `#/${id}` : "#/";
  if (location.hash !== address) history.pushState(null, "", address);
}

function idInAddress() {
  return location.hash.match(/^#\/(conv_[0-9a-f]{32})$/)?.[1] ?? "";
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

async function title(id) {
  if (sidebar.title(id)) return sidebar.title(id);
  const { result } = await socket.ask({ conversation: { conversationId: id } });
  return result.conversation.conversation.title ?? "";
}

// Without words it is the names of its files: these say what it is about, as its title too.
function send(text) {
  const files = attachments.take();
  view.send(text || namesOf(files), files);
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
