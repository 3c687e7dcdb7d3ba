// A file that is to go with the next message, as it is shown: how far it has come, what was said of it.

import { button, byId, make } from "./elements.js";
import { reportLines, underWay, warnings } from "./reports.js";
import { isPicture } from "./shown_files.js";
import { sentence } from "./words.js";

const announced = byId("attachments-said");
// Told aloud at these shares of an upload, not at each percent.
const TOLD = 0.25;

// `state` is busy, ready or failed. `on` has remove() and retry(), which its buttons call.
export class Chip {
  state = "busy";
  file = null;
  #name;
  #words = make("span", { className: "chip-state" });
  #bar = make("progress", { className: "chip-bar", max: 100, value: 0 });
  #steps = make("ul", { className: "chip-steps" });
  #preview = null;
  #details;
  #close;
  #retry;
  #told = 0;
  #said = "";

  constructor(file, on) {
    const { name } = file;
    this.#name = name;
    this.#close = button("×", "chip-close", on.remove);
    this.#close.setAttribute("aria-label", `Remove ${name}`);
    this.#retry = button("Try again", "chip-retry", on.retry);
    this.#retry.setAttribute("aria-label", `Try again: ${name}`);
    this.#retry.hidden = true;
    if (isPicture(file.type, file.size)) this.#preview = preview(file);
    this.#bar.setAttribute("aria-label", `Upload of ${name}`);
    this.#steps.setAttribute("aria-label", `What was looked at in ${name}`);
    this.#details = make(
      "details",
      { className: "chip-details", hidden: true },
      make("summary", { "aria-label": `Checks of ${name}` }, "Checks"),
      this.#steps,
    );
    this.element = make(
      "li",
      { className: "chip" },
      this.#preview,
      make("span", { className: "chip-name", textContent: name }),
      this.#bar,
      this.#words,
      this.#retry,
      this.#close,
      this.#details,
    );
    this.#tell("busy", "0 %");
    this.#say("is being uploaded");
  }

  // The upload has got so far; from 0 to 1.
  progress(share) {
    const percent = Math.round(100 * share);
    this.#bar.value = percent;
    this.#tell("busy", `${percent} %`);
    if (share < this.#told + TOLD) return;
    this.#told = Math.floor(share / TOLD) * TOLD;
    this.#say(`${100 * this.#told} %`);
  }

  // The upload was cut and goes on by itself.
  waiting() {
    this.#tell("busy", "was cut off; it goes on soon");
    this.#say("was cut off; it goes on soon");
  }

  // The upload is over; what is said of the file comes.
  arrived(file) {
    this.file = file;
    this.#bar.hidden = true;
    this.#tell("busy", "is being checked");
    this.#say("is being checked");
  }

  // The file as it stands, with what hooks have said.
  looked(file, done) {
    this.file = file;
    this.#steps.replaceChildren(...reportLines(file));
    this.#details.hidden = !this.#steps.childElementCount;
    if (file.state === "FILE_STATE_REFUSED") {
      this.#tell("failed", file.refusedBecause || "was refused");
      this.#say(`was refused: ${file.refusedBecause}`);
    } else if (file.state === "FILE_STATE_READY") {
      const warned = warnings(file).join(" ");
      this.#tell("ready", warned || (done ? "" : underWay(file) || "is being read"));
      this.element.classList.toggle("warned", warned !== "");
      this.#say(["is ready", warned].filter(Boolean).join(". "));
    } else this.#tell("busy", underWay(file) || "is being checked");
  }

  // With `again` it can be tried once more.
  fail(error, again) {
    this.#bar.hidden = true;
    this.#tell("failed", sentence(error));
    this.#retry.hidden = !again;
    this.#say(sentence(error));
  }

  // It is tried once more.
  begin() {
    this.#retry.hidden = true;
    this.#told = 0;
    this.#bar.hidden = this.file !== null;
    this.#tell("busy", this.file ? "is being checked" : "waits for its turn");
    this.#say(this.file ? "is being checked" : "is being uploaded again");
  }

  // It is taken off: its picture takes no memory any more.
  remove() {
    if (this.#preview) URL.revokeObjectURL(this.#preview.src);
    this.element.remove();
  }

  focus() {
    this.#close.focus();
  }

  #tell(state, words) {
    this.state = state;
    this.element.dataset.state = state;
    this.#words.textContent = words;
  }

  #say(words) {
    if (words === this.#said) return;
    this.#said = words;
    announced.textContent = `${this.#name}: ${words}`;
  }
}

// A picture as it lies on this machine; its name stands beside it.
function preview(file) {
  const picture = make("img", { className: "chip-picture", alt: "", decoding: "async" });
  picture.onerror = () => (picture.hidden = true);
  picture.src = URL.createObjectURL(file);
  return picture;
}
