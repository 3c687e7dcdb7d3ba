// Searching what was said: the field, what is asked for it, and the keys.

import { byId } from "./elements.js";
import { Found } from "./found.js";
import { feature, sentence } from "./words.js";

const PAUSE = 200;
const PAGE = 20;
const sidebar = byId("sidebar");
const form = byId("search");
const field = byId("search-text");
const clear = byId("search-clear");
const panel = byId("found");
const list = byId("found-list");
const status = byId("found-status");
const reduced = byId("found-reduced");
const more = byId("found-more");

// `on` has open(entry), title(conversationId), reveal() and closed().
export class Search {
  #socket;
  #on;
  #found;
  #titles = new Map();
  #shown = "";
  #next = "";
  #missing = [];
  #timer = 0;
  #generation = 0;
  #paging = false;
  #cut = false;

  constructor(socket, on) {
    this.#socket = socket;
    this.#on = on;
    this.#found = new Found({ open: on.open, title: (id) => this.#title(id) });
    field.oninput = () => this.#typed();
    form.onsubmit = (event) => {
      event.preventDefault();
      this.#enter();
    };
    more.onclick = () => this.#more();
    clear.onclick = () => this.#leave();
    for (const part of [form, panel]) part.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("keydown", (event) => this.#shortcut(event));
    if (/^(Mac|iP)/.test(navigator.platform)) byId("search-keys").textContent = "⌘ K";
  }

  // Leaves nothing of what was looked for and found.
  close() {
    this.#forget();
    this.#titles.clear();
    field.value = "";
    clear.hidden = true;
    panel.hidden = true;
    sidebar.classList.remove("searching");
    field.setAttribute("aria-expanded", "false");
  }

  // Asks again for what a cut left without an answer.
  catchUp() {
    if (this.#cut && query()) this.#ask(query());
  }

  #typed() {
    clearTimeout(this.#timer);
    if (!query()) {
      this.close();
      return;
    }
    clear.hidden = false;
    this.#timer = setTimeout(() => this.#ask(query()), PAUSE);
  }

  // What is shown may be of another query than the one in the field.
  #enter() {
    if (!query()) return;
    if (query() === this.#shown) this.#found.take();
    else this.#ask(query());
  }

  #more() {
    if (this.#paging || !this.#next) return;
    this.#paging = true;
    this.#ask(this.#shown, this.#next);
  }

  async #ask(wanted, pageToken = "") {
    clearTimeout(this.#timer);
    const generation = ++this.#generation;
    this.#open();
    try {
      const asked = { query: wanted, pageSize: PAGE, pageToken };
      const { result } = await this.#socket.ask({ search: asked });
      if (generation === this.#generation) this.#show(wanted, result.search ?? {}, pageToken);
    } catch (error) {
      if (generation === this.#generation) this.#failed(error, pageToken);
    }
  }

  #open() {
    this.#cut = false;
    panel.hidden = false;
    sidebar.classList.add("searching");
    list.setAttribute("aria-busy", "true");
    if (!this.#found.size) status.textContent = "Searching…";
  }

  #show(wanted, page, pageToken) {
    if (!pageToken) this.#forget();
    this.#shown = wanted;
    this.#next = page.nextPageToken ?? "";
    this.#paging = false;
    this.#missing.push(...(page.degradations ?? []));
    this.#found.add(page.results ?? [], page.summaries ?? [], page.files ?? []);
    list.removeAttribute("aria-busy");
    field.setAttribute("aria-expanded", String(this.#found.size > 0));
    status.textContent = this.#found.size ? this.#count() : "Nothing was found.";
    this.#tellMissing();
    const focused = document.activeElement === more;
    more.hidden = !this.#next;
    if (focused && more.hidden) field.focus();
  }

  #count() {
    const size = this.#found.size;
    if (this.#next) return `The best ${size}`;
    return size === 1 ? "1 found" : `${size} found`;
  }

  #tellMissing() {
    const names = [...new Set(this.#missing.map((missing) => missing.feature))];
    reduced.textContent = names.map(without).join(" ");
    reduced.hidden = names.length === 0;
  }

  // What is shown stays if only the next page of it failed.
  #failed(error, pageToken) {
    if (!pageToken) this.#forget();
    this.#cut = Boolean(error.cut) && !pageToken;
    this.#paging = false;
    list.removeAttribute("aria-busy");
    field.setAttribute("aria-expanded", String(this.#found.size > 0));
    status.textContent = sentence(error);
  }

  #forget() {
    clearTimeout(this.#timer);
    this.#generation += 1;
    this.#shown = "";
    this.#next = "";
    this.#missing = [];
    this.#paging = false;
    this.#cut = false;
    this.#found.clear();
    list.removeAttribute("aria-busy");
    status.textContent = "";
    reduced.hidden = true;
    more.hidden = true;
  }

  #leave() {
    this.close();
    this.#on.closed();
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") this.#leave();
    else if (event.target !== field || !this.#found.size) return;
    else if (event.key === "ArrowDown") this.#down();
    else if (event.key === "ArrowUp") this.#found.move(-1);
    else return;
    event.preventDefault();
  }

  // Behind the last one comes the next page, and behind that the first one.
  #down() {
    if (this.#found.atEnd && this.#next) this.#more();
    else this.#found.move(1);
  }

  #shortcut(event) {
    const held = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
    if (!held || event.key.toLowerCase() !== "k" || byId("chat").hidden) return;
    event.preventDefault();
    this.#on.reveal();
    field.focus();
    field.select();
  }

  // A title is asked for once.
  #title(conversationId) {
    if (!this.#titles.has(conversationId)) {
      this.#titles.set(conversationId, this.#on.title(conversationId).catch(() => ""));
    }
    return this.#titles.get(conversationId);
  }
}

const query = () => field.value.trim();

function without(name) {
  if (name === "FEATURE_SEMANTIC_RECALL") return "Found by words alone, not by meaning.";
  return feature(name);
}
