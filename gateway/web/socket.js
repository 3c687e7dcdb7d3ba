// The WebSocket: frames with answers, and coming back after a cut.

import { refresh } from "./account.js";
import { problem } from "./words.js";

const ACCIDENTS = new Set([1001, 1006, 1011, 1012]);
const TOKEN_EXPIRED = 3005;
const LONGEST_WAIT = 15_000;

// The number says whether to come back: the table is in gateway/closing.py.
export function comesBack(code) {
  return (code >= 3000 && code <= 3499) || (code >= 4000 && code <= 4499) || ACCIDENTS.has(code);
}

// Events: "welcome", "frame", "waiting" {seconds}, "signed-out", "closed" {code, reason}.
export class Socket extends EventTarget {
  #socket = null;
  #pending = new Map();
  #serial = 0;
  #failures = 0;
  #retry = 0;
  #renewal = 0;
  #wanted = false;

  open() {
    this.#wanted = true;
    this.#connect();
  }

  close() {
    this.#wanted = false;
    clearTimeout(this.#retry);
    clearTimeout(this.#renewal);
    this.#socket?.close(1000);
    this.#socket = null;
    this.#giveUp();
  }

  retryNow() {
    clearTimeout(this.#retry);
    this.#connect();
  }

  get ready() {
    return this.#socket?.readyState === WebSocket.OPEN && this.#socket.welcomed;
  }

  // Sends a frame; the answer is its ack, result, welcome or the first event of a turn.
  ask(kind) {
    return new Promise((resolve, reject) => {
      if (!this.ready) {
        reject(problem("Kari is not connected.", { cut: true }));
        return;
      }
      const id = this.tell(kind);
      this.#pending.set(id, { resolve, reject });
    });
  }

  tell(kind) {
    const id = `p${++this.#serial}`;
    if (this.ready) this.#socket.send(JSON.stringify({ id, ...kind }));
    return id;
  }

  #connect() {
    if (!this.#wanted || this.#socket) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/v1/chat`, ["kari.v1.json"]);
    this.#socket = socket;
    socket.onmessage = (message) => this.#receive(socket, JSON.parse(message.data));
    socket.onclose = (closed) => this.#lost(socket, closed);
  }

  #receive(socket, frame) {
    if (frame.welcome) {
      this.#failures = 0;
      this.#renewLater(frame.welcome);
      if (!socket.welcomed) {
        socket.welcomed = true;
        this.#emit("welcome", frame.welcome);
      }
    }
    const waiting = this.#pending.get(frame.id);
    if (waiting) {
      this.#pending.delete(frame.id);
      if (frame.error) waiting.reject(frame.error);
      else waiting.resolve(frame);
    }
    this.#emit("frame", { frame, answers: Boolean(waiting) });
  }

  async #lost(socket, closed) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    clearTimeout(this.#renewal);
    this.#giveUp();
    if (!this.#wanted) return;
    if (!comesBack(closed.code)) {
      this.#wanted = false;
      this.#emit("closed", { code: closed.code, reason: closed.reason });
      return;
    }
    // Before the welcome a cut may mean that the token is over: browsers do not say why.
    if (closed.code === TOKEN_EXPIRED || !socket.welcomed) {
      if (!(await this.#renewed())) return;
    }
    this.#comeBackLater();
  }

  async #renewed() {
    try {
      await refresh();
    } catch (refused) {
      if (refused.status === 401 || refused.status === 403) {
        this.#wanted = false;
        this.#emit("signed-out");
        return false;
      }
    }
    return true;
  }

  // Later each time, and never all clients at once.
  #comeBackLater() {
    const longest = Math.min(500 * 2 ** this.#failures++, LONGEST_WAIT);
    const wait = longest * (0.5 + Math.random() / 2);
    this.#emit("waiting", { seconds: wait / 1000 });
    this.#retry = setTimeout(() => this.#connect(), wait);
  }

  #renewLater(welcome) {
    clearTimeout(this.#renewal);
    const left = new Date(welcome.expiresAt) - Date.now();
    this.#renewal = setTimeout(() => this.#renew(), Math.max(1000, Math.min(left - 60_000, left / 2)));
  }

  async #renew() {
    try {
      const { tokens } = await refresh();
      if (this.ready) this.tell({ refreshToken: { accessToken: tokens.accessToken } });
    } catch {
      // The socket closes when its token ends, and what happens then is decided there.
    }
  }

  #giveUp() {
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) reject(problem("The connection was lost.", { cut: true }));
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
