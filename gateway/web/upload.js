// A file on its way up: a small one as a form, a large one by tus. After a cut both go on by tus, where
// they stopped.

import { refresh } from "./account.js";
import { problem } from "./words.js";

const FILES = "/v1/files";
const UPLOADS = "/v1/uploads";
const LARGE = 50_000_000;
const TUS = { "tus-resumable": "1.0.0" };
const CHUNK = { ...TUS, "content-type": "application/offset+octet-stream" };
// In a row without a byte that got through; together some two minutes.
const MOST_FAILURES = 12;
const LONGEST_WAIT = 15_000;
// The file itself is not taken: it would not be the next time either.
const FINAL = new Set(["REASON_TOO_LARGE", "REASON_FILE_TYPE"]);

export class Upload {
  #file;
  #strip;
  #on;
  #key = newId();
  #place = `${UPLOADS}/${this.#key}`;
  #request = null;
  #begun = false;
  #stopped = false;
  #whole = false;
  #received = 0;
  #failures = 0;

  // `on` has progress(share, from 0 to 1) and waiting(). With `strip` metadata is taken out.
  constructor(file, strip, on) {
    this.#file = file;
    this.#strip = strip;
    this.#on = on;
  }

  // The file as Kari has it; an envelope is thrown if it does not take it, with `again` unless that
  // is for good: run again, it goes on where it stopped.
  async run() {
    this.#failures = 0;
    for (;;) {
      try {
        const file = await this.#once();
        this.#begun = false;
        return file;
      } catch (error) {
        if (this.#stopped) this.#giveUp();
        const soon = error.cut || error.reason === "REASON_UPLOAD_LIMIT";
        if (this.#stopped || !soon || ++this.#failures > MOST_FAILURES) {
          throw { ...error, again: !FINAL.has(error.reason) };
        }
      }
      this.#on.waiting();
      await pause(Math.min(500 * 2 ** this.#failures, LONGEST_WAIT));
      if (this.#stopped) throw problem("It was called off.");
    }
  }

  // A form that is out already is not called off: its answer names a file that has to go. Of others
  // what has come is erased.
  stop() {
    this.#stopped = true;
    if (this.#whole) return;
    this.#request?.abort();
    this.#giveUp();
  }

  #giveUp() {
    if (this.#begun) giveUp(this.#place);
    this.#begun = false;
  }

  async #once() {
    const found = this.#begun ? await this.#found() : null;
    if (found) return this.#rest(found);
    this.#begun = true;
    this.#received = 0;
    if (this.#file.size <= LARGE) return this.#form();
    await this.#create();
    return this.#rest({ offset: 0, id: null });
  }

  async #form() {
    const form = new FormData();
    // Fields count only before the file.
    if (this.#strip) form.append("strip_metadata", "1");
    form.append("file", this.#file);
    const request = await this.#ask("POST", FILES, { "idempotency-key": this.#key }, form);
    return parsed(request.responseText).file;
  }

  #create() {
    const pairs = { filename: this.#file.name, ...(this.#strip && { strip_metadata: "1" }) };
    const metadata = Object.entries(pairs).map(([name, text]) => `${name} ${inBase64(text)}`);
    return this.#ask("POST", UPLOADS, {
      ...TUS,
      "idempotency-key": this.#key,
      "upload-length": String(this.#file.size),
      "upload-metadata": metadata.join(","),
    });
  }

  // How far it is; null if nothing of it is there.
  async #found() {
    try {
      const found = await this.#ask("HEAD", this.#place, TUS);
      const offset = Number(found.getResponseHeader("upload-offset"));
      return { offset, id: found.getResponseHeader("kari-file-id") };
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  // What is not there yet, in one request: each further one has all that is there read again.
  async #rest({ offset, id }) {
    if (offset > this.#received) this.#failures = 0;
    this.#received = offset;
    if (!id) {
      const length = String(this.#file.size);
      const headers = { ...CHUNK, "upload-offset": String(offset), "upload-length": length };
      const request = await this.#ask("PATCH", this.#place, headers, this.#file.slice(offset));
      id = request.getResponseHeader("kari-file-id");
    }
    return parsed((await this.#ask("GET", `${FILES}/${id}`)).responseText).file;
  }

  async #ask(method, address, headers = {}, body = null) {
    let request = await this.#sent(method, address, headers, body);
    if (request.status === 401) {
      await refresh().catch(() => null);
      request = await this.#sent(method, address, headers, body);
    }
    if (request.status >= 200 && request.status < 300) return request;
    const told = parsed(request.responseText);
    const elsewhere = told.reason === "REASON_UPLOAD_OFFSET";
    const cut = request.status === 0 || request.status >= 500 || elsewhere;
    throw { ...told, status: request.status, cut };
  }

  // XMLHttpRequest: fetch does not tell how much was sent. One that was cut has the status 0.
  #sent(method, address, headers, body) {
    const request = new XMLHttpRequest();
    this.#request = request;
    this.#whole = false;
    return new Promise((resolve) => {
      request.upload.onprogress = ({ loaded }) => {
        const before = method === "PATCH" ? this.#received : 0;
        this.#on.progress(Math.min((before + loaded) / Math.max(this.#file.size, 1), 1));
      };
      request.upload.onload = () => (this.#whole = method === "POST" && address === FILES);
      request.onloadend = () => {
        this.#whole = false;
        resolve(request);
      };
      request.open(method, address);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.send(body);
    });
  }
}

// Deletes a file that was never sent, also while the page goes away.
export function discard(fileId) {
  fetch(`${FILES}/${fileId}`, { method: "DELETE", keepalive: true }).catch(() => null);
}

// Erases what has come of an upload; one that has just become a file goes as one. A part that was
// still being noted is refused to whoever knows of less: then it is asked again.
async function giveUp(place, tries = 3) {
  try {
    const gone = await fetch(place, { method: "DELETE", headers: TUS, keepalive: true });
    if (gone.status !== 409) return;
    const found = await fetch(place, { method: "HEAD", headers: TUS });
    const file = found.headers.get("kari-file-id");
    if (file) discard(file);
    else if (tries > 1) await giveUp(place, tries - 1);
  } catch {
    // Uploads that nobody goes on with are erased in time.
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return problem("The upload was cut off.");
  }
}

function inBase64(text) {
  const bytes = new TextEncoder().encode(text);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

const newId = () => crypto.randomUUID?.() ?? `${Date.now()}.${Math.random()}`;

// Until then, or until the machine is on a network again.
function pause(milliseconds) {
  return new Promise((resolve) => {
    const done = () => {
      removeEventListener("online", done);
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
  });
}
