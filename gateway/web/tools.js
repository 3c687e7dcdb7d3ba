// The tools of an answer: what runs, what came of it, and questions before one may run.

import { button, make } from "./elements.js";
import { sentence } from "./words.js";

const LONGEST = 4000;
const LONG_NUMBER = /\d{16}/;
const REORDERING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export class ToolList {
  element = make("ol", { className: "tools", "aria-label": "Tools" });
  #rows = new Map();

  get empty() {
    return this.#rows.size === 0;
  }

  clear() {
    this.#rows.clear();
    this.element.replaceChildren();
  }

  started({ call, toolName }) {
    this.#row(call, toolName).tell("running", "runs");
  }

  progress({ callId, message, fraction, text }) {
    const row = this.#rows.get(callId);
    if (!row) return;
    const part = fraction === undefined ? "" : `${Math.round(fraction * 100)} %`;
    if (message || part) row.tell("running", [message, part].filter(Boolean).join(", "));
    if (text) row.add(text);
  }

  finished(result) {
    const row = this.#rows.get(result.callId) ?? this.#row({ id: result.callId, toolId: result.toolId });
    if (result.success) row.tell("done", result.truncated ? "done, cut short" : "done");
    else row.tell("failed", sentence(result.error ?? {}));
    if (result.resultJson) row.show("Result", beginning(pretty(result.resultJson)));
  }

  // `answer` is called with the user's decision and gives a promise of the one that holds: somebody may have
  // answered elsewhere before.
  asked({ call, toolName, description, answerBy }, answer) {
    const row = this.#row(call, toolName);
    const until = answerBy ? ` Without an answer by ${moment(answerBy)} it is refused.` : "";
    row.tell("asking", "asks for your permission");
    row.open();
    row.ask(`${description ?? ""}${until}`, answer);
  }

  answered({ callId, approved, expired }) {
    const row = this.#rows.get(callId);
    row?.settle();
    row?.tell(approved ? "running" : "failed", approved ? "allowed" : expired ? "nobody answered" : "not allowed");
  }

  // The turn is over: nothing runs and nothing is asked any more.
  settle() {
    for (const row of this.#rows.values()) row.end();
  }

  #row(call, name) {
    if (!this.#rows.has(call.id)) {
      const row = new Row(name || call.toolId, call.argumentsJson);
      this.#rows.set(call.id, row);
      this.element.append(row.element);
    }
    return this.#rows.get(call.id);
  }
}

class Row {
  #state = make("span", { className: "tool-state", role: "status" });
  #details;
  #text = null;
  #question = null;

  constructor(name, argumentsJson) {
    const head = make("summary", {}, make("span", { className: "tool-name", textContent: name }), this.#state);
    this.#details = make("details", {}, head);
    this.element = make("li", { className: "tool" }, this.#details);
    // In full: they are what is allowed.
    if (argumentsJson) this.show("Arguments", pretty(argumentsJson));
  }

  tell(kind, words) {
    this.element.dataset.state = kind;
    this.#state.textContent = words;
  }

  open() {
    this.#details.open = true;
  }

  show(label, text) {
    this.#details.append(
      make("p", { className: "tool-label", textContent: label }),
      make("pre", { textContent: text, tabIndex: 0 }),
    );
  }

  add(text) {
    if (!this.#text) {
      this.#text = make("pre", { tabIndex: 0 });
      this.#details.append(this.#text);
      this.open();
    }
    this.#text.append(text);
  }

  ask(words, answer) {
    this.settle();
    const choose = async (approved) => {
      for (const choice of choices.children) choice.disabled = true;
      try {
        const held = await answer(approved);
        if (held !== undefined && held !== approved) this.#heldBefore(held);
      } catch (error) {
        for (const choice of choices.children) choice.disabled = false;
        question.append(make("p", { className: "reduced", role: "alert", textContent: sentence(error) }));
      }
    };
    const choices = make(
      "div",
      { className: "choices", role: "group", "aria-label": "Allow this tool" },
      button("Allow", "primary", () => choose(true)),
      button("Don\u2019t allow", "quiet", () => choose(false)),
    );
    const question = make("div", { className: "tool-question" }, make("p", { textContent: words }), choices);
    this.#question = question;
    this.element.append(question);
  }

  #heldBefore(allowed) {
    const words = `It was answered before: it is ${allowed ? "" : "not "}allowed.`;
    this.element.append(make("p", { className: "reduced", role: "status", textContent: words }));
  }

  settle() {
    this.#question?.remove();
    this.#question = null;
  }

  end() {
    this.settle();
    if (["running", "asking"].includes(this.element.dataset.state)) this.tell("failed", "not finished");
  }
}

// JSON as people read it; anything else as it is. Never more than fits a screen or two.
// Exactly what it is: no number is rounded, and marks of direction are shown, not followed.
function pretty(text) {
  let shown = text;
  try {
    if (!LONG_NUMBER.test(text)) shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // A model may write arguments that are no JSON.
  }
  return shown.replace(REORDERING, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function beginning(text) {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}\u2026` : text;
}

function moment(time) {
  return new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
