// What stands above a conversation.

import { byId, make } from "./elements.js";
import { mode } from "./words.js";

const title = byId("title");
const facts = byId("facts");

// `conversation` is null where nothing is known of it yet; `id` is empty where there is none.
export function tell(conversation, id) {
  title.textContent = conversation?.title || (id ? "Untitled" : "New conversation");
  document.title = conversation?.title ? `${conversation.title} · Kari` : "Kari";
  const shown = [mode(conversation?.mode), conversation?.model, conversation?.persona?.name];
  const kept = shown.filter((fact) => fact && fact !== "Chat");
  facts.replaceChildren(...kept.map((fact) => make("li", { textContent: fact })));
}
