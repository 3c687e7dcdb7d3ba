// The list of conversations, and the drawer that it is on a phone.

import { byId, make } from "./elements.js";
import { when } from "./times.js";

const sidebar = byId("sidebar");
const list = byId("conversations");
const more = byId("more-conversations");
const menu = byId("menu");
const scrim = byId("scrim");

// `on` has open(id), create() and older().
export class Sidebar {
  #items = new Map();
  #current = "";

  constructor(on) {
    byId("new").onclick = () => {
      this.drawer(false);
      on.create();
    };
    more.onclick = on.older;
    menu.onclick = () => this.drawer(menu.getAttribute("aria-expanded") !== "true");
    scrim.onclick = () => this.drawer(false);
    list.onclick = (event) => {
      const id = event.target.closest("button")?.dataset.id;
      if (!id) return;
      this.drawer(false);
      on.open(id);
    };
    addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.drawer(false);
      if (event.altKey && event.code === "KeyN") {
        event.preventDefault();
        on.create();
      }
    });
  }

  drawer(open) {
    sidebar.classList.toggle("open", open);
    scrim.hidden = !open;
    menu.setAttribute("aria-expanded", String(open));
    if (open) (list.querySelector("[aria-current]") ?? byId("new")).focus();
  }

  // Makes sure that it is seen.
  reveal() {
    if (menu.checkVisibility()) this.drawer(true);
  }

  // Shows a page of conversations, the latest first; the first page replaces what is there.
  show(conversations, { first, another }) {
    if (first) this.#items.clear();
    for (const conversation of conversations) this.#items.set(conversation.id, conversation);
    list.replaceChildren(...[...this.#items.values()].map((c) => this.#item(c)));
    more.hidden = !another;
  }

  select(id) {
    this.#current = id;
    for (const item of list.querySelectorAll("button")) mark(item, item.dataset.id === id);
  }

  title(id) {
    return this.#items.get(id)?.title || "";
  }

  #item(conversation) {
    const item = make("button", { type: "button" }, titleOf(conversation));
    item.append(make("time", { textContent: when(conversation.updatedAt) }));
    item.dataset.id = conversation.id;
    mark(item, conversation.id === this.#current);
    return make("li", {}, item);
  }
}

function titleOf(conversation) {
  const title = conversation.title;
  return make("span", { textContent: title || "Untitled", className: title ? "" : "untitled" });
}

function mark(item, current) {
  if (current) item.setAttribute("aria-current", "true");
  else item.removeAttribute("aria-current");
}
