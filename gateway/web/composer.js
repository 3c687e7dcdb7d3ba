// The message field: grows with its text, sends, stops, and completes commands.

import { byId, make } from "./elements.js";
import { inline } from "./markdown.js";
import { suggestionsFor } from "./suggestions.js";

const form = byId("composer");
const field = byId("composer-text");
const list = byId("suggestions");
const stop = byId("stop");
const send = byId("send");

// `on` has send(text), stop(), typing(boolean), held(): true while a message has to wait, and files():
// true if it may go without words.
export class Composer {
  #commands = [];
  #shown = [];
  #chosen = 0;
  #on;

  constructor(on) {
    this.#on = on;
    form.onsubmit = (event) => {
      event.preventDefault();
      this.#send(on);
    };
    field.oninput = () => {
      this.#fit();
      this.#suggest();
      on.typing(field.value !== "");
    };
    field.onkeydown = (event) => this.#key(event, on);
    field.onblur = () => setTimeout(() => this.#hide(), 150);
    stop.onclick = () => on.stop();
    this.#fit();
  }

  set commands(commands) {
    this.#commands = commands;
    if (document.activeElement === field) this.#suggest();
  }

  set running(running) {
    stop.hidden = !running;
  }

  // Whether there is something to send by now.
  look() {
    send.disabled = !this.#may(field.value.trim());
  }

  focus() {
    if (matchMedia("(hover: hover)").matches) field.focus();
  }

  // Gives text back that could not be sent.
  restore(text) {
    if (field.value === "") field.value = text;
    this.#fit();
  }

  #send(on) {
    const text = field.value.trim();
    if (!this.#may(text)) return;
    field.value = "";
    this.#hide();
    this.#fit();
    on.typing(false);
    on.send(text);
  }

  #may(text) {
    return !this.#on.held() && (text !== "" || this.#on.files());
  }

  #key(event, on) {
    if (event.isComposing) return;
    if (this.#shown.length && this.#keyInList(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#send(on);
    } else if (event.key === "Escape" && !stop.hidden) on.stop();
  }

  #keyInList(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves) this.#choose(this.#chosen + moves[event.key]);
    else if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey && !this.#isExact())) this.#take();
    else if (event.key === "Escape") this.#hide();
    else return false;
    event.preventDefault();
    return true;
  }

  #suggest() {
    this.#shown = suggestionsFor(field.value, this.#commands);
    list.replaceChildren(...this.#shown.map((entry, index) => this.#option(entry, index)));
    list.hidden = this.#shown.length === 0;
    field.setAttribute("aria-expanded", String(!list.hidden));
    if (this.#shown.length) this.#choose(0);
    else field.removeAttribute("aria-activedescendant");
  }

  #option(entry, index) {
    const option = make(
      "li",
      { id: `suggestion-${index}`, role: "option", "aria-disabled": String(!entry.allowed) },
      make("code", { textContent: entry.usage }),
      make("span", {}, ...inline(entry.summary)),
      entry.allowed ? null : make("em", { textContent: "not for you" }),
    );
    option.onpointerdown = (event) => {
      event.preventDefault();
      this.#choose(index);
      this.#take();
    };
    return option;
  }

  #choose(index) {
    this.#chosen = (index + this.#shown.length) % this.#shown.length;
    [...list.children].forEach((option, at) => {
      option.setAttribute("aria-selected", String(at === this.#chosen));
    });
    list.children[this.#chosen].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", `suggestion-${this.#chosen}`);
  }

  #take() {
    field.value = this.#shown[this.#chosen].insert;
    field.focus();
    this.#suggest();
    if (this.#isExact()) this.#hide();
    this.#fit();
  }

  // True if what is typed is a whole entry already, so that Enter sends it.
  #isExact() {
    return this.#shown.some((entry) => field.value.trim() === entry.exact);
  }

  #hide() {
    this.#shown = [];
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  #fit() {
    field.style.height = "auto";
    const height = Math.min(field.scrollHeight, innerHeight * 0.4);
    // While the field is not shown it has no height to speak of.
    if (height && field.value) field.style.height = `${height}px`;
    this.look();
  }
}
