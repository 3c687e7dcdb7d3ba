// The conversation on screen: what is asked of the socket for it, and what its frames mean.

import { make } from "./elements.js";
import { tell } from "./heading.js";
import { MessageFiles } from "./message_files.js";
import { degradationNote, Transcript } from "./transcript.js";
import { problem } from "./words.js";

const PAGE = 30;
// On the way to a message: large pages, and not faster than a socket may ask.
const SEEK_PAGE = 200;
const SEEK_PAUSE = 60;

// `on` has began(id), changed() and running(boolean).
export class ConversationView {
  id = "";
  #socket;
  #on;
  #transcript;
  #older = "";
  #loading = null;
  #begun = false;
  #sought = null;
  #unsent = new Map();
  #files = new MessageFiles();
  #generation = 0;

  constructor(socket, on) {
    this.#socket = socket;
    this.#on = on;
    this.#transcript = new Transcript(() => this.#loadOlder());
  }

  // Shows a conversation; without an id, an empty one that begins with its first message. With a
  // message, {messageId, sequence}, at that place.
  async open(id, message = null) {
    this.id = id;
    this.#sought = message;
    this.#generation += 1;
    this.#older = "";
    this.#loading = null;
    this.#begun = false;
    this.#unsent.clear();
    this.#transcript.clear();
    tell(null, this.id);
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
    this.#seek();
    for (const message of unsent) this.#deliver(message);
  }

  // Goes to a message of this conversation, however far back it is.
  seek(message) {
    this.#sought = message;
    return this.#seek();
  }

  send(content, files = []) {
    const requestId = crypto.randomUUID?.() ?? `${Date.now()}.${Math.random()}`;
    const message = { content, requestId, fileIds: files.map((file) => file.id) };
    message.article = this.#transcript.sending(content, files);
    this.#files.add(files);
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
    else if (frame.resync) this.#resynced(frame.resync.turn);
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
      ...(message.fileIds?.length && { fileIds: message.fileIds }),
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
      this.#problem(turn.article, event.failed.error, again && (() => this.send(turn.content, this.#files.known(turn.fileIds))));
      this.#ended(turn, event.failed.message);
    } else this.#written(turn, event);
  }

  #accepted(turn, accepted) {
    turn.content = accepted.message.content;
    turn.fileIds = accepted.message.fileIds;
    if (turn.asked) this.#transcript.accepted(turn.asked, accepted.message);
    else this.#transcript.merge([accepted.message]);
    this.#showFiles([accepted.message]);
    turn.begin();
    if (!accepted.queued) this.#transcript.drawn(turn);
  }

  #written(turn, event) {
    turn.begin();
    this.#transcript.drawn(turn);
    if (event.delta) turn.add(event.delta.text);
    this.#tools(turn, event);
    if (event.degraded) this.#transcript.note(turn.article, degradationNote(event.degraded));
    if (event.providerSwitched) {
      const to = event.providerSwitched.toModel;
      this.#transcript.note(turn.article, `Another model goes on: ${to}`);
    }
  }

  #tools(turn, event) {
    const { tools } = turn;
    if (event.toolStarted) tools.started(event.toolStarted);
    if (event.toolProgress) tools.progress(event.toolProgress);
    if (event.toolFinished) tools.finished(event.toolFinished);
    if (event.approvalRequested) this.#asked(turn, event.approvalRequested);
    if (event.approvalAnswered) tools.answered(event.approvalAnswered);
  }

  #asked(turn, requested) {
    const asked = { turnId: turn.id, callId: requested.call.id };
    turn.tools.asked(requested, async (approved) => {
      const { result } = await this.#ask({ answerApproval: { ...asked, approved } });
      return result.answerApproval.approved;
    });
  }

  // The events so far are gone; what is still asked is not.
  #resynced({ id, pendingSteps }) {
    const turn = this.#transcript.live(id);
    turn.forget();
    for (const step of pendingSteps ?? []) {
      turn.begin();
      this.#transcript.drawn(turn);
      this.#asked(turn, step);
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

  // True if it went well.
  async #load(pageToken = "", pageSize = PAGE) {
    const generation = this.#generation;
    try {
      const asked = { conversationId: this.id, pageSize, pageToken };
      const { result } = await this.#ask({ history: asked });
      if (generation !== this.#generation) return false;
      const page = result.history ?? {};
      this.#older = page.nextPageToken ?? "";
      this.#begun = true;
      this.#transcript.merge((page.messages ?? []).reverse());
      this.#showFiles(page.messages ?? []);
      const active = page.activeTurn?.id;
      if (active && !this.#transcript.isLive(active)) this.#resume(active);
      if (!pageToken) this.#look();
      return true;
    } catch (error) {
      if (generation === this.#generation && !error.cut) {
        this.#sought = null;
        this.#problem(null, error);
      }
      return false;
    }
  }

  async #showFiles(messages) {
    try {
      await this.#files.learn(messages, (asked) => this.#ask(asked));
    } catch (error) {
      this.#problem(null, error);
    }
    for (const { id, fileIds, conversationId } of messages) {
      this.#transcript.files(id, this.#files.known(fileIds), conversationId);
    }
  }

  // One page at a time, whoever wants it.
  #loadOlder(pageSize = PAGE) {
    if (!this.#older) return false;
    if (this.#loading) return this.#loading;
    const loading = this.#load(this.#older, pageSize).finally(() => {
      if (this.#loading === loading) this.#loading = null;
    });
    this.#loading = loading;
    return loading;
  }

  // A search that is cut off on its way goes on when the connection is back.
  async #seek() {
    if (!this.#begun) return;
    const sought = this.#sought;
    while (sought && sought === this.#sought && !this.#transcript.show(sought.messageId)) {
      if (!this.#older || this.#transcript.reaches(sought.sequence)) {
        this.#missed();
        return;
      }
      if (!(await this.#loadOlder(SEEK_PAGE))) return;
      if (!this.#transcript.has(sought.messageId)) await pause(SEEK_PAUSE);
    }
    if (sought === this.#sought) this.#sought = null;
  }

  #missed() {
    this.#sought = null;
    this.#problem(null, problem("That message is no longer there."));
  }

  // Looks at the configuration of the conversation.
  async #look() {
    const generation = this.#generation;
    try {
      const { result } = await this.#ask({ conversation: { conversationId: this.id } });
      if (generation === this.#generation) tell(result.conversation.conversation, this.id);
    } catch {
      // The title is a convenience; whatever is wrong shows where it matters.
    }
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

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
