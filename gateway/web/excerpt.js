// The part of a found text that a narrow column has room for, with the words that were looked for.

// Characters that may come before the first word that was looked for.
const BEFORE = 40;

// Pieces {text, marked} of a text, from a little before its first highlight on. Highlights count
// Unicode code points, which strings here do not; a start of 0 is not sent. `cut` says that the text
// itself is only a part of one.
export function excerpt(content, highlights = [], cut = false) {
  const characters = Array.from(content);
  const begin = beginning(characters, highlights[0]?.start ?? 0);
  const pieces = [];
  const add = (from, to, marked) => {
    if (to > from) pieces.push({ text: characters.slice(from, to).join(""), marked });
  };
  if (begin > 0 || cut) pieces.push({ text: "…", marked: false });
  let at = begin;
  for (const { start = 0, end = 0 } of highlights) {
    add(at, start, false);
    add(Math.max(at, start), end, true);
    at = Math.max(at, end);
  }
  add(at, characters.length, false);
  return pieces;
}

// Where a word begins, not more than BEFORE in front of a place.
function beginning(characters, place) {
  if (place <= BEFORE) return 0;
  const from = place - BEFORE;
  const space = characters.slice(from, place).findIndex((character) => /\s/.test(character));
  return space < 0 ? from : from + space + 1;
}
