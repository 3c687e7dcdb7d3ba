// The conversation on screen: what is asked of the socket for it, and what its frames mean.

import { byId, make } from "./elements.js";
import { degradationNote, Transcript } from "./transcript.js";
import { mode } from "./words.js";

const PAGE = 30;
const LONG_PAGE = 200;
const title = byId("title");
const facts = byId("facts");

// `on` has began(id), changed() and running(boolean).
export class ConversationView {
  id = "";
  #socket;
  #on;
  #transcript;
  #older = "";
  #loading = false;
  #unsent = new Map();
  #generation = 0;
  #sought = "";

  constructor(socket, on) {
    this.#socket = socket;
    this.#on = on;
    this.#transcript = new Transcript(() => this.#loadOlder());
  }

  // Shows a conversation, at one of its messages if that is named; without an id, an empty one that
  // begins with its first message.
  async open(id, messageId = "") {
    if (id && id === this.id && this.#transcript.reveal(messageId)) return;
    this.id = id;
    this.#generation += 1;
    this.#sought = messageId;
    this.#older = "";
    this.#unsent.clear();
    this.#transcript.clear();
    this.#tell(null);
    this.#on.running(false);
    if (!id) this.#invite();
    await this.catchUp();
  }

  // After a cut, and at the beginning: what is there, what runs, what still has to be sent.
  async catchUp() {
    if (!this.#socket.ready) return;
    this.#socket.tell({ presence: { conversationIds: this.id ? [this.id] : [] } });
    for (const turn of this.#transcript.unfinished) this.#resume(turn.id, turn.position);
    const unsent = [...this.#unsent.values()];
    if (this.id) await this.#load();
    for (const message of unsent) this.#deliver(message);
    if (this.#sought) await this.#seek();
  }

  send(content) {
    const message = { content, requestId: crypto.randomUUID?.() ?? `${Date.now()}.${Math.random()}` };
    message.article = this.#transcript.sending(content);
    this.#deliver(message);
  }

  stop() {
    for (const turn of this.#transcript.unfinished) {
      this.#ask({ cancelTurn: { turnId: turn.id } }).catch((error) => this.#problem(null, error));
    }
  }

  get running() {
    return this.#transcript.unfinished.length > 0;
  }

  // Takes a frame of the socket that concerns this conversation.
  take(frame) {
    if (frame.turnEvent) this.#event(frame.turnEvent);
    else if (frame.resync) this.#transcript.live(frame.resync.turn.id).forget();
    else if (frame.turnStarted?.conversationId === this.id) this.#resume(frame.turnStarted.turnId);
    else if (frame.conversationChanged?.conversationId === this.id) this.#look();
  }

  // An error that answers no request that is waited for, such as a stream that stopped.
  problem(error) {
    this.#problem(null, error);
  }

  async #deliver(message) {
    this.#unsent.set(message.requestId, message);
    const asked = {
      content: message.content,
      requestId: message.requestId,
      conversationId: this.id,
      whenBusy: "WHEN_BUSY_ENQUEUE",
    };
    const generation = this.#generation;
    try {
      const { ack } = await this.#socket.ask({ sendMessage: asked });
      this.#unsent.delete(message.requestId);
      if (generation === this.#generation) this.#acknowledged(message, ack);
    } catch (error) {
      // What a cut left unanswered is sent again, under the same request id.
      if (error.cut) return;
      this.#unsent.delete(message.requestId);
      if (generation === this.#generation) this.#refused(message, error);
    }
  }

  #acknowledged(message, ack) {
    this.#transcript.accepted(message.article);
    if (ack.turn) {
      this.#transcript.live(ack.turn.id).asked = message.article;
      this.#on.running(true);
    }
    for (const result of ack.results ?? []) {
      this.#transcript.result(message.article, result, (id, yes) => this.#answer(message, id, yes));
    }
    if (this.id !== ack.conversationId) {
      this.id = ack.conversationId;
      this.#socket.tell({ presence: { conversationIds: [this.id] } });
      this.#on.began(this.id);
    }
    this.#transcript.toEnd();
    this.#look();
  }

  #refused(message, error) {
    message.article.classList.remove("sending");
    const again = error.retryable ? () => this.#deliver(message) : null;
    this.#problem(message.article, error, again);
  }

  async #answer(message, proposalId, accepted) {
    try {
      const asked = { conversationId: this.id, proposalId, accepted };
      const { ack } = await this.#ask({ answer: asked });
      for (const result of ack.results ?? []) this.#transcript.result(message.article, result);
    } catch (error) {
      this.#problem(message.article, error);
    }
  }

  #event(event) {
    const id = event.position?.streamId ?? "";
    if (!this.#transcript.isLive(id)) return;
    const turn = this.#transcript.live(id);
    if (turn.over) return;
    turn.position = event.position;
    if (event.accepted) this.#accepted(turn, event.accepted);
    else if (event.completed) this.#ended(turn, event.completed.message);
    else if (event.cancelled) this.#ended(turn, event.cancelled.message);
    else if (event.failed) {
      turn.begin();
      this.#transcript.drawn(turn);
      const again = event.failed.error.retryable && turn.content;
      this.#problem(turn.article, event.failed.error, again && (() => this.send(turn.content)));
      this.#ended(turn, event.failed.message);
    } else this.#written(turn, event);
  }

  #accepted(turn, accepted) {
    turn.content = accepted.message.content;
    if (turn.asked) this.#transcript.accepted(turn.asked, accepted.message);
    else this.#transcript.merge([accepted.message]);
    turn.begin();
    if (!accepted.queued) this.#transcript.drawn(turn);
  }

  #written(turn, event) {
    turn.begin();
    this.#transcript.drawn(turn);
    if (event.delta) turn.add(event.delta.text);
    if (event.degraded) this.#transcript.note(turn.article, degradationNote(event.degraded));
    if (event.providerSwitched) {
      const to = event.providerSwitched.toModel;
      this.#transcript.note(turn.article, `Another model goes on: ${to}`);
    }
  }

  #ended(turn, message) {
    this.#transcript.finish(turn, message);
    this.#on.running(this.running);
    this.#on.changed();
    this.#look();
  }

  #resume(turnId, after) {
    this.#transcript.live(turnId);
    this.#on.running(true);
    this.#ask({ resume: { turnId, ...(after && { after }) } }).catch((error) => {
      if (error.cut) return;
      this.#transcript.finish(this.#transcript.live(turnId));
      this.#on.running(this.running);
      this.#problem(null, error);
    });
  }

  async #load(pageToken = "", pageSize = PAGE) {
    const generation = this.#generation;
    try {
      const asked = { conversationId: this.id, pageSize, pageToken };
      const { result } = await this.#ask({ history: asked });
      if (generation !== this.#generation) return;
      const page = result.history ?? {};
      this.#older = page.nextPageToken ?? "";
      this.#transcript.merge((page.messages ?? []).reverse());
      const active = page.activeTurn?.id;
      if (active && !this.#transcript.isLive(active)) this.#resume(active);
      if (!pageToken) this.#look();
    } catch (error) {
      if (generation === this.#generation && !error.cut) this.#problem(null, error);
    }
  }

  async #loadOlder() {
    if (!this.#older || this.#loading) return;
    this.#loading = true;
    await this.#load(this.#older);
    this.#loading = false;
  }

  // Goes back through the history until the message that was asked for is there.
  async #seek() {
    const generation = this.#generation;
    let place = null;
    while (!this.#transcript.reveal(this.#sought)) {
      if (!this.#older || this.#older === place) break;
      place = this.#older;
      await this.#load(place, LONG_PAGE);
      if (generation !== this.#generation) return;
    }
    if (!this.#socket.ready) return;
    if (!this.#transcript.has(this.#sought)) {
      this.#transcript.note(null, make("p", { textContent: "The message is not there any more." }));
    }
    this.#sought = "";
  }

  // Looks at the configuration of the conversation.
  async #look() {
    const generation = this.#generation;
    try {
      const { result } = await this.#ask({ conversation: { conversationId: this.id } });
      if (generation === this.#generation) this.#tell(result.conversation.conversation);
    } catch {
      // The title is a convenience; whatever is wrong shows where it matters.
    }
  }

  #tell(conversation) {
    title.textContent = conversation?.title || (this.id ? "Untitled" : "New conversation");
    document.title = conversation?.title ? `${conversation.title} · Kari` : "Kari";
    const shown = [mode(conversation?.mode), conversation?.model, conversation?.persona?.name];
    const kept = shown.filter((fact) => fact && fact !== "Chat");
    facts.replaceChildren(...kept.map((fact) => make("li", { textContent: fact })));
  }

  #invite() {
    this.#transcript.empty(
      make("p", { className: "greeting", textContent: "What is on your mind?" }),
      make("p", { textContent: "Write a message to begin." }),
    );
  }

  #ask(kind) {
    return this.#socket.ask(kind);
  }

  #problem(article, error, retry) {
    if (!error.cut) this.#transcript.problem(article, error, retry);
  }
}
