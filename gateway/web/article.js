// A message as it is shown: its role, its words, its files, and what is known of it.

import { make } from "./elements.js";
import { fileLinks, namesOf } from "./shown_files.js";

// Files of a message; one that only says their names needs no words.
export function attach(article, files, conversationId) {
  if (!files.length) return;
  article.body.before(fileLinks(files, conversationId));
  article.body.hidden = article.content === namesOf(files);
}

export function articleOf(role) {
  const article = make("article", { className: role });
  article.append(make("h2", { className: "hidden", textContent: role === "user" ? "You" : "Kari" }));
  article.body = make("div", { className: "prose" });
  const meta = make("footer", { className: "meta" });
  article.append(article.body, meta);
  article.tell = (message) => {
    const time = new Date(message.timestamp ?? Date.now());
    const parts = [message.modelUsed, used(message.toolsCalled), message.partial ? "cut short" : ""].filter(Boolean);
    const clock = time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    meta.replaceChildren(
      ...parts.map((part) => make("span", { textContent: part })),
      make("time", { textContent: clock, dateTime: time.toISOString(), title: time.toLocaleString() }),
    );
  };
  return article;
}

// The tools of a stored answer, each once, in words.
function used(toolsCalled) {
  const names = [...new Set((toolsCalled ?? []).map((use) => use.toolId))];
  return names.length ? `with ${names.join(", ")}` : "";
}
