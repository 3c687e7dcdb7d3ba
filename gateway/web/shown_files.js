// The files of a message: pictures are shown, others are links.

import { make } from "./elements.js";

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"];
// Larger ones are links: a message should not take so much to be read.
const LARGEST = 20_000_000;

export const isPicture = (type, size) => PICTURES.includes(type) && Number(size) <= LARGEST;

// What a message says that has files and no words.
export const namesOf = (files) => files.map((file) => file.name).join(", ");

// `conversationId` is empty for files of one's own that are on their way.
export function fileLinks(files, conversationId = "") {
  return make(
    "ul",
    { className: "files", "aria-label": "Files" },
    ...files.map((file) => make("li", {}, link(file, conversationId))),
  );
}

function link(file, conversationId) {
  const through = conversationId ? `?conversation_id=${conversationId}` : "";
  const href = `/v1/files/${file.id}/content${through}`;
  const shown = make("a", { href, target: "_blank", rel: "noopener", title: file.name });
  if (!isPicture(file.contentType, file.sizeBytes)) shown.textContent = file.name;
  else {
    shown.className = "picture";
    const picture = make("img", { alt: file.name, loading: "lazy", decoding: "async" });
    picture.onerror = () => {
      shown.className = "";
      shown.textContent = file.name;
    };
    picture.src = href;
    shown.append(picture);
  }
  return shown;
}
