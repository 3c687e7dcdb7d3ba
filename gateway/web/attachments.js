// Files that are to go with the next message: uploaded at once, looked at, then ready or refused.

import { Chip } from "./chip.js";
import { takeDrops, takePastes } from "./dropping.js";
import { byId } from "./elements.js";
import { discard, Upload } from "./upload.js";

const MOST = 20;
// A user may have only so many transfers at once; other tabs are left some.
const AT_ONCE = 2;
const STRIP = "kari-strip-metadata";
const list = byId("attachments");
const note = byId("attachments-note");
const input = byId("file-input");
const strip = byId("strip-metadata");

// `on` has changed(), and took() after files were dropped or pasted. `socket` is asked how the files go through the hooks.
export class Attachments {
  // Chips with their uploads.
  #chips = new Map();
  #queue = [];
  #running = 0;
  #socket;
  #on;

  constructor(socket, on) {
    this.#socket = socket;
    this.#on = on;
    strip.checked = localStorage.getItem(STRIP) === "1";
    strip.onchange = () => localStorage.setItem(STRIP, strip.checked ? "1" : "0");
    byId("attach").onclick = () => input.click();
    input.onchange = () => {
      this.add(input.files);
      input.value = "";
    };
    const drops = {
      ready: () => !byId("chat").hidden,
      take: (files, folders) => {
        this.add(files, folders);
        this.#on.took();
      },
    };
    takeDrops(drops);
    takePastes(drops);
    // A page that goes away for good leaves nothing behind that was never sent.
    addEventListener("pagehide", ({ persisted }) => persisted || this.clear());
  }

  // Files, and how many folders there were besides.
  add(files, folders = 0) {
    const taken = [...files].slice(0, Math.max(MOST - this.#chips.size, 0));
    for (const file of taken) this.#begin(file);
    this.#tellLeftOut(files.length - taken.length, folders);
    this.#changed();
  }

  // True while a file is not ready yet.
  get busy() {
    return [...this.#chips.keys()].some((chip) => chip.state === "busy");
  }

  // True if there is a file that is ready.
  get ready() {
    return [...this.#chips.keys()].some((chip) => chip.state === "ready");
  }

  // The files that are ready, which are taken off here.
  take() {
    const ready = [...this.#chips.keys()].filter((chip) => chip.state === "ready");
    for (const chip of ready) this.#takeOff(chip);
    return ready.map((chip) => chip.file);
  }

  // Takes all of them off and deletes them.
  clear() {
    for (const chip of [...this.#chips.keys()]) this.#drop(chip);
  }

  // Takes all of them off; whose they are is not signed in any more.
  forget() {
    for (const [chip, upload] of [...this.#chips]) {
      upload.stop();
      this.#takeOff(chip);
    }
  }

  // A file has got further on its way through the hooks.
  changed({ file, done }) {
    for (const chip of this.#chips.keys()) if (chip.file?.id === file.id) chip.looked(file, done);
    this.#changed();
  }

  // What was being looked at when the connection was lost.
  catchUp() {
    for (const chip of this.#chips.keys()) if (chip.file && !chip.file.done) this.#follow(chip);
  }

  #begin(file) {
    const on = { remove: () => this.#remove(chip), retry: () => this.#retry(chip) };
    const chip = new Chip(file, on);
    const upload = new Upload(file, strip.checked, chip);
    this.#chips.set(chip, upload);
    list.append(chip.element);
    this.#queue.push(chip);
    this.#next();
  }

  #next() {
    while (this.#running < AT_ONCE && this.#queue.length) this.#run(this.#queue.shift());
  }

  async #run(chip) {
    if (!this.#chips.has(chip)) return;
    this.#running += 1;
    try {
      this.#arrived(chip, await this.#chips.get(chip).run());
    } catch (error) {
      if (this.#chips.has(chip)) chip.fail(error, error.again);
      this.#changed();
    } finally {
      this.#running -= 1;
      this.#next();
    }
  }

  #arrived(chip, file) {
    if (!this.#chips.has(chip)) {
      discard(file.id);
      return;
    }
    chip.arrived(file);
    this.#changed();
    this.#follow(chip);
  }

  #follow(chip) {
    this.#socket.ask({ followFile: { fileId: chip.file.id } }).catch((error) => {
      if (!error.cut) chip.fail(error, error.retryable);
      this.#changed();
    });
  }

  // By its button, which goes: the focus stays with the file.
  #retry(chip) {
    chip.begin();
    chip.focus();
    this.#changed();
    if (chip.file) {
      this.#follow(chip);
      return;
    }
    this.#queue.push(chip);
    this.#next();
  }

  // By its button: the focus goes to the next one, or to where files are chosen.
  #remove(chip) {
    const chips = [...this.#chips.keys()];
    const place = chips.indexOf(chip);
    this.#drop(chip);
    (chips[place + 1] ?? chips[place - 1] ?? byId("attach")).focus();
  }

  #drop(chip) {
    this.#chips.get(chip).stop();
    if (chip.file) discard(chip.file.id);
    this.#takeOff(chip);
  }

  #takeOff(chip) {
    chip.remove();
    this.#chips.delete(chip);
    this.#tellLeftOut(0);
    this.#changed();
  }

  #tellLeftOut(count, folders = 0) {
    const files = count === 1 ? "1 file was" : `${count} files were`;
    const told = [
      count ? `At most ${MOST} files go with a message; ${files} left out.` : "",
      folders ? "Folders are left out; choose the files in them." : "",
    ];
    note.textContent = told.filter(Boolean).join(" ");
    note.hidden = !note.textContent;
  }

  #changed() {
    list.hidden = this.#chips.size === 0;
    this.#on.changed();
  }
}
