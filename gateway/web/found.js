// What was found, as entries of a list. What people wrote is only ever put in as text nodes.

import { make } from "./elements.js";
import { when } from "./times.js";

const BEFORE = 40;

// The part of a text around its first highlight, with all highlights in it as <mark>. Their places
// are counted in code points, not in the units that strings of JavaScript have.
export function excerpt(text, highlights = []) {
  const points = [...text];
  const begin = beginning(points, highlights[0]?.start ?? 0);
  const nodes = begin ? ["…"] : [];
  let at = begin;
  for (const { start = 0, end = 0 } of highlights) {
    nodes.push(points.slice(at, start).join(""));
    nodes.push(make("mark", { textContent: points.slice(start, end).join("") }));
    at = end;
  }
  nodes.push(points.slice(at).join(""));
  return nodes.filter((node) => node !== "");
}

// Where to begin, so that the first highlight shows: at a word if there is one nearby.
function beginning(points, first) {
  if (first <= BEFORE) return 0;
  const words = points.slice(first - BEFORE, first).findIndex((point) => /\s/.test(point));
  return first - BEFORE + (words < 0 ? 0 : words + 1);
}

// A message: who said it, when, where, and what. `place` shows the conversation's title.
export function messageEntry(result, place) {
  const kari = result.role === "MESSAGE_ROLE_ASSISTANT";
  return entry(
    { conversationId: result.conversationId, messageId: result.messageId },
    kari ? "Kari" : result.author || "You",
    result.timestamp,
    place,
    excerpt(result.content ?? "", result.highlights),
  );
}

// A summary: opens its conversation where the summary begins.
export function summaryEntry({ summary }, place) {
  return entry(
    { conversationId: summary.conversationId, messageId: summary.messageRange?.firstMessageId },
    (summary.keyTopics ?? []).slice(0, 3).join(", ") || "Summary",
    summary.createdAt,
    place,
    [summary.summary ?? ""],
  );
}

// A group of entries under a heading; none if it would be empty.
export function group(id, heading, entries) {
  if (!entries.length) return null;
  const head = make("li", { id, role: "presentation", textContent: heading });
  return make("ul", { role: "group", "aria-labelledby": id }, head, ...entries);
}

function entry(target, who, timestamp, place, text) {
  const time = make("time", { textContent: when(timestamp), dateTime: timestamp ?? "" });
  const option = make(
    "li",
    { role: "option", "aria-selected": "false" },
    make("span", { className: "author", textContent: who }),
    time,
    place,
    make("p", {}, ...text),
  );
  option.target = target;
  return option;
}
