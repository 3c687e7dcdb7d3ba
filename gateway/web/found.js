// What a search found: a list with summaries and messages, one of them chosen.

import { byId, make } from "./elements.js";
import { excerpt } from "./excerpt.js";
import { when } from "./times.js";

const list = byId("found-list");
const field = byId("search-text");

// `on` has open(entry) and title(conversationId), which promises a title. An entry is
// {conversationId, messageId, sequence}.
export class Found {
  #on;
  #entries = [];
  #options = [];
  #chosen = -1;

  constructor(on) {
    this.#on = on;
    list.onclick = (event) => {
      const at = this.#options.indexOf(event.target.closest("[role=option]"));
      if (at < 0) return;
      this.#choose(at);
      this.take();
    };
  }

  get size() {
    return this.#options.length;
  }

  get atEnd() {
    return this.#chosen === this.#options.length - 1;
  }

  clear() {
    this.#entries = [];
    this.#options = [];
    this.#chosen = -1;
    list.replaceChildren();
    field.removeAttribute("aria-activedescendant");
  }

  // Adds a page: summaries and files stand above the messages, in groups of their own.
  add(results, summaries, files) {
    const first = this.size;
    for (const found of summaries) this.#put("Summaries", ...this.#summary(found));
    for (const found of files) this.#put("Files", ...this.#file(found));
    for (const found of results) this.#put("Messages", ...this.#message(found));
    if (this.size > first) this.#choose(first);
  }

  move(step) {
    if (this.size) this.#choose((this.#chosen + step + this.size) % this.size);
  }

  // Opens the chosen one.
  take() {
    const entry = this.#entries[this.#chosen];
    if (entry) this.#on.open(entry);
  }

  #choose(at) {
    this.#options[this.#chosen]?.setAttribute("aria-selected", "false");
    this.#chosen = at;
    this.#options[at].setAttribute("aria-selected", "true");
    this.#options[at].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", this.#options[at].id);
  }

  #put(group, entry, ...children) {
    const id = `found-${this.size}`;
    const option = make("div", { id, role: "option", "aria-selected": "false" }, ...children);
    this.#entries.push(entry);
    this.#options.push(option);
    groupOf(group).append(option);
  }

  #summary({ summary }) {
    const range = summary.messageRange ?? {};
    const entry = {
      conversationId: summary.conversationId,
      messageId: range.firstMessageId,
      sequence: Number(range.firstSequence ?? 0),
    };
    const topics = (summary.keyTopics ?? []).slice(0, 4).join(" · ");
    const said = textOf([{ text: summary.summary ?? "", marked: false }]);
    const about = topics ? make("p", { className: "topics", textContent: topics }) : null;
    return [entry, this.#head("", summary.conversationId, summary.createdAt), said, about];
  }

  // Opens the conversation in which the file is used; of one that is in none there is nothing to open.
  #file(found) {
    const { text = "", anchor = {} } = found.chunk ?? {};
    const entry = found.conversationId ? { conversationId: found.conversationId } : null;
    const name = make("span", { className: "speaker", textContent: found.name });
    const where = make("span", { className: "where", textContent: placeOf(anchor) });
    const head = make("p", { className: "found-head" }, name, where);
    return [entry, head, textOf(excerpt(text, found.highlights, false))];
  }

  #message(result) {
    const entry = {
      conversationId: result.conversationId,
      messageId: result.messageId,
      sequence: Number(result.sequence ?? 0),
    };
    const pieces = excerpt(result.content ?? "", result.highlights, (result.start ?? 0) > 0);
    const head = this.#head(nameOf(result), result.conversationId, result.timestamp);
    return [entry, head, textOf(pieces)];
  }

  #head(who, conversationId, timestamp) {
    const title = make("span", { className: "where", textContent: "…" });
    this.#on.title(conversationId).then((text) => {
      title.textContent = text || "Untitled";
    });
    const time = make("time", { textContent: when(timestamp), dateTime: timestamp ?? "" });
    const name = who ? make("span", { className: "speaker", textContent: who }) : null;
    return make("p", { className: "found-head" }, name, title, time);
  }
}

// The group of a name; made where it is missing.
function groupOf(name) {
  const id = `found-${name.toLowerCase()}`;
  const there = byId(id);
  if (there) return there.parentElement;
  const label = make("p", { id, className: "found-label", role: "presentation", textContent: name });
  const group = make("div", { role: "group", "aria-labelledby": id }, label);
  list.append(group);
  return group;
}

// Where a piece stands in its file.
function placeOf({ page, line, row, time }) {
  if (page) return `page ${page}`;
  if (row) return `${row.sheet}, row ${row.row ?? 1}`;
  if (line) return `line ${line}`;
  return time ? `at ${Number.parseFloat(time).toFixed(0)} s` : "";
}

function textOf(pieces) {
  const nodes = pieces.map(({ text, marked }) => (marked ? make("mark", {}, text) : text));
  return make("p", { className: "said" }, ...nodes);
}

function nameOf(result) {
  return result.author || (result.role === "MESSAGE_ROLE_ASSISTANT" ? "Kari" : "Somebody");
}
