// What is dropped or pasted anywhere on the page: it takes files, and never is left for one.

import { byId } from "./elements.js";

// While something hovers browsers say so each third of a second; not all say when it has gone.
const GONE = 2000;
const hint = byId("drop-hint");
let gone = 0;
// A picture of the page that is dragged looks like a file from elsewhere.
let own = false;
addEventListener("dragstart", () => (own = true));
addEventListener("dragend", () => (own = false));

// `on` has ready(), whether files are taken right now, and take(files, count of folders).
export function takeDrops(on) {
  addEventListener("dragover", (event) => {
    const files = hasFiles(event);
    // Text may be dragged into fields; a link that is dropped elsewhere would be followed.
    if (!files && takesText(event.target)) return;
    event.preventDefault();
    const taken = files && on.ready();
    event.dataTransfer.dropEffect = taken ? "copy" : "none";
    show(taken);
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) show(false);
  });
  addEventListener("drop", (event) => {
    show(false);
    const files = hasFiles(event);
    if (!files && takesText(event.target)) return;
    event.preventDefault();
    if (files && on.ready()) on.take(...dropped(event.dataTransfer));
  });
}

export function takePastes(on) {
  addEventListener("paste", (event) => {
    const { files, types } = event.clipboardData;
    // Tables and documents come as a picture too, which nobody means.
    const isText = types.includes("text/plain") && types.includes("text/html");
    if (!files.length || isText || !on.ready()) return;
    event.preventDefault();
    on.take([...files], 0);
  });
}

function show(hovers) {
  clearTimeout(gone);
  hint.hidden = !hovers;
  if (hovers) gone = setTimeout(() => show(false), GONE);
}

const hasFiles = (event) => !own && (event.dataTransfer?.types.includes("Files") ?? false);

const takesText = (target) => target instanceof Element && target.matches("input, textarea");

// The files, and how many folders there are besides, which browsers hand over as if they were some.
function dropped({ items, files }) {
  const entries = [...items].filter((item) => item.kind === "file");
  const isFolder = entries.map((item) => item.webkitGetAsEntry?.()?.isDirectory ?? false);
  const kept = [...files].filter((_, place) => !isFolder[place]);
  return [kept, files.length - kept.length];
}
