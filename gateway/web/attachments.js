// Files that are to go with the next message: uploaded at once, looked at, then ready or refused.

import { button, byId, make } from "./elements.js";
import { problem, sentence } from "./words.js";

const MOST = 20;
const list = byId("attachments");
const input = byId("file-input");
const drop = byId("composer");

// `on` has changed(). `socket` is asked how the files go through the hooks.
export class Attachments {
  #chips = new Map();
  #serial = 0;
  #socket;
  #on;

  constructor(socket, on) {
    this.#socket = socket;
    this.#on = on;
    byId("attach").onclick = () => input.click();
    input.onchange = () => {
      this.add(input.files);
      input.value = "";
    };
    byId("composer-text").addEventListener("paste", (event) => {
      if (!event.clipboardData.files.length) return;
      event.preventDefault();
      this.add(event.clipboardData.files);
    });
    drop.ondragover = (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      drop.classList.add("dropping");
    };
    drop.ondragleave = () => drop.classList.remove("dropping");
    drop.ondrop = (event) => {
      event.preventDefault();
      drop.classList.remove("dropping");
      this.add(event.dataTransfer.files);
    };
  }

  add(files) {
    for (const file of files) if (this.#chips.size < MOST) this.#begin(file);
    this.#changed();
  }

  // True while a file is not ready yet.
  get busy() {
    return [...this.#chips.values()].some((chip) => chip.state === "busy");
  }

  // The files that are ready, which are taken off here.
  take() {
    const ready = [...this.#chips.entries()].filter(([, chip]) => chip.state === "ready");
    for (const [key, chip] of ready) this.#remove(key, chip);
    return ready.map(([, chip]) => chip.file);
  }

  clear() {
    for (const [key, chip] of this.#chips) this.#remove(key, chip);
  }

  // A file has got further on its way through the hooks.
  changed({ file, done }) {
    for (const chip of this.#chips.values()) if (chip.file?.id === file.id) chip.looked(file, done);
    this.#changed();
  }

  // What was being looked at when the connection was lost.
  catchUp() {
    for (const chip of this.#chips.values()) if (chip.file && chip.state === "busy") this.#follow(chip);
  }

  #begin(file) {
    const key = ++this.#serial;
    const chip = new Chip(file.name, () => this.#remove(key, chip));
    this.#chips.set(key, chip);
    list.append(chip.element);
    chip.upload(file).then(
      () => this.#follow(chip),
      () => this.#changed(),
    );
  }

  #follow(chip) {
    this.#socket.ask({ followFile: { fileId: chip.file.id } }).catch((error) => {
      if (!error.cut) chip.fail(error);
      this.#changed();
    });
  }

  #remove(key, chip) {
    chip.stop();
    chip.element.remove();
    this.#chips.delete(key);
    this.#changed();
  }

  #changed() {
    list.hidden = this.#chips.size === 0;
    this.#on.changed();
  }
}

// One file: `state` is busy, ready or failed.
class Chip {
  state = "busy";
  file = null;
  #request = new XMLHttpRequest();
  #told = make("span", { className: "chip-state", role: "status", textContent: "0 %" });

  constructor(name, remove) {
    const close = button("×", "chip-close", remove);
    close.setAttribute("aria-label", `Remove ${name}`);
    this.element = make(
      "li",
      { className: "chip" },
      make("span", { className: "chip-name", textContent: name }),
      this.#told,
      close,
    );
  }

  // XMLHttpRequest: fetch does not tell how much was sent.
  upload(file) {
    const form = new FormData();
    form.append("file", file);
    const request = this.#request;
    return new Promise((resolve, reject) => {
      request.upload.onprogress = ({ loaded, total }) => {
        this.#tell("busy", `${Math.round((100 * loaded) / total)} %`);
      };
      request.onload = () => {
        const answer = parsed(request.responseText);
        if (request.status === 201) {
          this.file = answer.file;
          this.#tell("busy", "is being checked");
          resolve();
        } else {
          this.fail(answer);
          reject(answer);
        }
      };
      request.onerror = () => {
        const lost = problem("The upload was cut off.");
        this.fail(lost);
        reject(lost);
      };
      request.open("POST", "/v1/files");
      request.send(form);
    });
  }

  looked(file, done) {
    this.file = file;
    if (file.state === "FILE_STATE_READY") this.#tell("ready", done ? "" : "is being read");
    else if (file.state === "FILE_STATE_REFUSED") this.#tell("failed", file.refusedBecause || "was refused");
    else this.#tell("busy", "is being checked");
  }

  fail(error) {
    this.#tell("failed", sentence(error));
  }

  stop() {
    this.#request.abort();
  }

  #tell(state, words) {
    this.state = state;
    this.element.dataset.state = state;
    this.#told.textContent = words;
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return problem("The upload was cut off.");
  }
}

// Files of a message, as links.
export function fileLinks(files, conversationId) {
  return make(
    "ul",
    { className: "files", "aria-label": "Files" },
    ...files.map((file) => {
      const address = `/v1/files/${file.id}/content?conversation_id=${conversationId}`;
      return make("li", {}, make("a", { href: address, textContent: file.name, target: "_blank", rel: "noopener" }));
    }),
  );
}
