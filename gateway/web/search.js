// The search field of the sidebar, and what was found in place of the conversations.

import { byId, make } from "./elements.js";
import { group, messageEntry, summaryEntry } from "./found.js";
import { sentence } from "./words.js";

const form = byId("search");
const field = byId("search-text");
const here = byId("search-here");
const panel = byId("found");
const list = byId("found-list");
const note = byId("found-note");
const more = byId("more-found");

// Where the sidebar is a drawer: as in style.css.
const narrow = matchMedia("(width < 48rem)");
const PAGE = 20;
const PAUSE_MILLISECONDS = 250;
const HINT = 'Try fewer or other words. "A phrase" in quotes has to stand there, -word must not.';
const WORDS_ALONE = "By words alone: searching by meaning is not possible right now.";

// `on` has ask(request), title(id), open(id, messageId), drawer(open) and closed().
export class Search {
  #on;
  #results = [];
  #summaries = [];
  #options = [];
  #titles = new Map();
  #chosen = -1;
  #next = "";
  #pause = 0;
  #generation = 0;
  #conversation = "";

  constructor(on) {
    this.#on = on;
    field.oninput = () => this.#later();
    field.onkeydown = (event) => this.#key(event);
    here.onchange = () => this.#now();
    form.onsubmit = (event) => event.preventDefault();
    more.onclick = () => this.#look(this.#next);
    list.onclick = (event) => this.#take(event.target.closest("[role=option]"));
    addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        this.focus();
      }
    });
  }

  focus() {
    if (narrow.matches) this.#on.drawer(true);
    field.focus();
    field.select();
  }

  close() {
    field.value = "";
    this.#show(false);
  }

  // Looks anew for what is in the field, such as after a cut.
  again() {
    if (!panel.hidden) this.#now();
  }

  // The conversation that is open: the one that a search can be kept to.
  set conversation(id) {
    if (id === this.#conversation) return;
    this.#conversation = id;
    here.disabled = !id;
    if (!here.checked) return;
    here.checked = Boolean(id);
    this.again();
  }

  #later() {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.#now(), PAUSE_MILLISECONDS);
    if (!field.value.trim()) this.#show(false);
  }

  #now() {
    clearTimeout(this.#pause);
    if (!field.value.trim()) {
      this.#show(false);
      return null;
    }
    return this.#look("");
  }

  async #look(pageToken) {
    const generation = ++this.#generation;
    const conversationId = here.checked ? this.#conversation : "";
    const request = { query: field.value.trim(), pageSize: PAGE, pageToken };
    if (conversationId) request.filter = { conversationId };
    this.#show(true);
    panel.setAttribute("aria-busy", "true");
    try {
      const { result } = await this.#on.ask(request);
      if (generation === this.#generation) this.#found(result.search ?? {}, !pageToken);
    } catch (error) {
      if (generation === this.#generation) this.#failed(error);
    } finally {
      if (generation === this.#generation) panel.setAttribute("aria-busy", "false");
    }
  }

  #found(page, first) {
    this.#next = page.nextPageToken ?? "";
    this.#results = [...(first ? [] : this.#results), ...(page.results ?? [])];
    if (first) this.#summaries = page.summaries ?? [];
    this.#draw();
    if (first) panel.scrollTop = 0;
    this.#choose(first ? (this.#options.length ? 0 : -1) : this.#chosen);
    note.replaceChildren(...this.#said(page.degradations ?? []));
  }

  #draw() {
    const place = (result) => this.#place(result.conversationId);
    const messages = this.#results.map((result) => messageEntry(result, place(result)));
    const summaries = this.#summaries.map((found) => summaryEntry(found, place(found.summary)));
    this.#options = [...messages, ...summaries];
    this.#options.forEach((option, index) => (option.id = `found-${index}`));
    const groups = [group("found-messages", "Messages", messages), group("found-summaries", "Summaries", summaries)];
    list.replaceChildren(...groups.filter((each) => each !== null));
    more.hidden = !this.#next;
  }

  // Says how much there is; and if words alone decided, that too.
  #said(degradations) {
    const more = this.#next ? " or more" : "";
    const counts = [counted(this.#results.length, more, "message", "messages")];
    counts.push(counted(this.#summaries.length, "", "summary", "summaries"));
    const nothing = !this.#options.length;
    const words = nothing ? "Nothing was found." : counts.filter(Boolean).join(", ");
    const parts = [make("span", { textContent: words })];
    if (nothing) parts.push(make("span", { className: "hint", textContent: HINT }));
    if (degradations.some(({ feature }) => feature === "FEATURE_SEMANTIC_RECALL")) {
      parts.push(make("span", { className: "reduced", textContent: WORDS_ALONE }));
    }
    return parts;
  }

  #failed(error) {
    this.#results = this.#summaries = [];
    this.#next = "";
    this.#draw();
    this.#choose(-1);
    note.replaceChildren(make("span", { className: "problem", textContent: sentence(error) }));
  }

  // The title of a conversation; it comes later if it is not known yet.
  #place(id) {
    const place = make("span", { className: "place" });
    if (!this.#titles.has(id)) this.#titles.set(id, this.#on.title(id));
    this.#titles.get(id).then((title) => (place.textContent = title || "Untitled"));
    return place;
  }

  #key(event) {
    if (event.isComposing) return;
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key === "Escape") {
      this.close();
      this.#on.closed();
    } else if (event.key in moves && this.#options.length) this.#move(moves[event.key]);
    else if (event.key === "Enter") this.#enter();
    else return;
    event.preventDefault();
  }

  // Past the last one come those of the next page.
  #move(step) {
    const index = this.#chosen + step;
    if (index >= this.#results.length && this.#next && !this.#summaries.length) this.#look(this.#next);
    this.#choose(Math.max(0, Math.min(index, this.#options.length - 1)));
  }

  // What is typed is looked for before it is opened.
  async #enter() {
    if (this.#pauseIsDue()) await this.#now();
    else this.#take(this.#options[this.#chosen]);
  }

  #pauseIsDue() {
    return panel.hidden || panel.dataset.query !== field.value.trim();
  }

  #choose(index) {
    this.#chosen = index;
    this.#options.forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    const chosen = this.#options[index];
    if (!chosen) {
      field.removeAttribute("aria-activedescendant");
      return;
    }
    chosen.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", chosen.id);
  }

  #take(option) {
    if (!option) return;
    this.#choose(this.#options.indexOf(option));
    this.#on.drawer(false);
    this.#on.open(option.target.conversationId, option.target.messageId ?? "");
  }

  #show(open) {
    if (!open) {
      this.#generation += 1;
      clearTimeout(this.#pause);
      this.#titles.clear();
    }
    panel.dataset.query = open ? field.value.trim() : "";
    panel.hidden = !open;
    form.classList.toggle("open", open);
    byId("all-conversations").hidden = open;
    field.setAttribute("aria-expanded", String(open));
    if (!open) field.removeAttribute("aria-activedescendant");
  }
}

function counted(number, more, one, several) {
  return number ? `${number}${more} ${number === 1 && !more ? one : several}` : "";
}
