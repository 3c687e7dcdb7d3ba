// The messages on screen: history, what is being sent, answers that are being written.

import { articleOf, attach } from "./article.js";
import { button, byId, make } from "./elements.js";
import { LiveTurn } from "./live_turn.js";
import { render } from "./markdown.js";
import { feature, sentence } from "./words.js";

const NEAR = 120;
const scroller = byId("scroller");
const list = byId("transcript");
const latest = byId("latest");

export class Transcript {
  #articles = new Map();
  #live = new Map();
  #following = true;

  constructor(onTop) {
    scroller.addEventListener("scroll", () => {
      this.#measure();
      if (scroller.scrollTop < NEAR) onTop();
    }, { passive: true });
    latest.onclick = () => this.toEnd();
    new ResizeObserver(() => this.#following && this.toEnd()).observe(list);
  }

  clear() {
    this.#articles.clear();
    this.#live.clear();
    list.replaceChildren();
    latest.hidden = true;
    this.#following = true;
  }

  empty(...children) {
    list.append(make("div", { className: "empty" }, ...children));
  }

  toEnd() {
    this.#following = true;
    latest.hidden = true;
    scroller.scrollTop = scroller.scrollHeight;
  }

  // Puts stored messages in their places; those on screen stay as they are.
  merge(messages) {
    const before = scroller.scrollHeight - scroller.scrollTop;
    const added = messages.filter((message) => this.#isNew(message));
    for (const message of added) this.#place(this.#article(message), message);
    if (added.length && !this.#following) scroller.scrollTop = scroller.scrollHeight - before;
  }

  has(messageId) {
    return this.#articles.has(messageId);
  }

  // True if everything from a place in the conversation on is here.
  reaches(sequence) {
    const first = list.querySelector("[data-sequence]");
    return Boolean(first) && Number(first.dataset.sequence) <= sequence;
  }

  // Goes to a message and marks it; false if it is not here.
  show(messageId) {
    const article = this.#articles.get(messageId);
    if (!article) return false;
    list.querySelector(".sought")?.classList.remove("sought");
    article.classList.add("sought");
    article.tabIndex = -1;
    article.focus({ preventScroll: true });
    this.#following = false;
    article.scrollIntoView({ block: article.offsetHeight > scroller.clientHeight ? "start" : "center" });
    this.#measure();
    return true;
  }

  // A message on its way: shown at once, marked until it is safe.
  sending(content, files = []) {
    list.querySelector(".empty")?.remove();
    const article = articleOf("user");
    render(article.body, content);
    article.content = content;
    attach(article, files, "");
    article.classList.add("sending");
    list.append(article);
    this.toEnd();
    return article;
  }

  accepted(article, message) {
    article.classList.remove("sending");
    if (!message || this.#articles.has(message.id)) return;
    this.#name(article, message);
  }

  // The answer of a turn that is under way; begins it if it is new here.
  live(turnId) {
    if (!this.#live.has(turnId)) this.#live.set(turnId, new LiveTurn(turnId));
    return this.#live.get(turnId);
  }

  isLive(turnId) {
    return this.#live.has(turnId);
  }

  get unfinished() {
    return [...this.#live.values()].filter((turn) => !turn.over);
  }

  // A turn's answer as it was stored, in place of the one that was being written.
  finish(turn, message) {
    turn.over = true;
    if (!message?.id) {
      turn.settle();
      return;
    }
    if (this.#articles.has(message.id)) turn.article?.remove();
    else this.#name(turn.show(message.content ?? ""), message);
    turn.settle();
  }

  note(article, ...children) {
    const note = make("div", { className: "note" }, ...children);
    if (article?.classList.contains("user")) this.#after(article).after(note);
    else (article ?? list).append(note);
    return note;
  }

  problem(article, error, retry) {
    const parts = [make("p", { textContent: sentence(error) })];
    if (error.correlationId) parts.push(reference(error.correlationId));
    const note = this.note(article, ...parts);
    note.classList.add("problem");
    note.setAttribute("role", "alert");
    if (retry) {
      note.append(button("Try again", "quiet", () => {
        note.remove();
        retry();
      }));
    }
    if (this.#following) this.toEnd();
  }

  // What became of a command; `answer` is called with the user's decision.
  result(article, result, answer) {
    const body = make("div", { className: "prose" });
    render(body, result.text || "Done.");
    const note = this.note(article, body);
    note.classList.add("result");
    if (result.status !== "INSTRUCTION_STATUS_NEEDS_CONFIRMATION") return;
    const choose = (accepted) => {
      choices.remove();
      answer(result.proposalId, accepted);
    };
    const choices = make(
      "div",
      { className: "choices", role: "group", "aria-label": "Confirm" },
      button("Yes, do it", "primary", () => choose(true)),
      button("No", "quiet", () => choose(false)),
    );
    note.append(choices);
    choices.firstElementChild.focus({ preventScroll: true });
  }

  // The files of a message, once.
  files(messageId, files, conversationId) {
    const article = this.#articles.get(messageId);
    if (article && !article.querySelector(".files")) attach(article, files, conversationId);
  }

  // Whether the end is in sight.
  #measure() {
    const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    this.#following = below < NEAR;
    latest.hidden = this.#following;
  }

  // How often the answers of a place are drawn: once a frame, however many deltas came.
  drawn(turn) {
    if (turn.article && !turn.article.isConnected) {
      list.querySelector(".empty")?.remove();
      list.append(turn.article);
    }
  }

  // The last note that belongs to a message of the user, or the message.
  #after(article) {
    let last = article;
    while (last.nextElementSibling?.classList.contains("note")) last = last.nextElementSibling;
    return last;
  }

  #isNew(message) {
    if (this.#articles.has(message.id)) return false;
    const own = this.#live.get(message.turnId);
    return !(own && message.role === "MESSAGE_ROLE_ASSISTANT");
  }

  #article(message) {
    const article = articleOf(message.role === "MESSAGE_ROLE_USER" ? "user" : "assistant");
    article.content = message.content ?? "";
    render(article.body, article.content);
    this.#name(article, message);
    return article;
  }

  #place(article, message) {
    list.querySelector(".empty")?.remove();
    const sequence = Number(message.sequence ?? 0);
    let next = list.firstElementChild;
    while (next && !(Number(next.dataset.sequence) > sequence)) next = next.nextElementSibling;
    list.insertBefore(article, next);
  }

  #name(article, message) {
    this.#articles.set(message.id, article);
    article.dataset.sequence = message.sequence ?? 0;
    article.tell(message);
  }
}

function reference(correlationId) {
  return make(
    "p",
    { className: "reference" },
    "Reference ",
    make("code", { textContent: correlationId }),
  );
}

export function degradationNote(degradation) {
  return make("p", { className: "reduced", textContent: feature(degradation.feature) });
}
