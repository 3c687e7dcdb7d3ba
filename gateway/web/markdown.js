// A small, safe part of Markdown as DOM nodes: paragraphs, headings, code, bold, emphasis, lists.
// Source text is only ever put in as text nodes.

import { button, make } from "./elements.js";

// Splits source into blocks; a fence that is not closed yet runs to the end.
export function blocksOf(source) {
  const blocks = [];
  let lines = [];
  let fence = null;
  const flush = () => {
    if (lines.length) blocks.push(lines.join("\n"));
    lines = [];
  };
  for (const line of source.split("\n")) {
    const mark = line.match(/^\s{0,3}(```+|~~~+)/);
    if (fence !== null) {
      lines.push(line);
      if (mark && line.trim().startsWith(fence)) {
        fence = null;
        flush();
      }
    } else if (mark) {
      flush();
      fence = mark[1];
      lines.push(line);
    } else if (line.trim() === "") flush();
    else lines.push(line);
  }
  flush();
  return blocks;
}

// Brings `container` to show `source`. Blocks that did not change keep their nodes, so that a
// long answer that grows at its end costs no more than a short one.
export function render(container, source) {
  const blocks = blocksOf(source);
  blocks.forEach((block, index) => {
    const shown = container.children[index];
    if (shown && shown.source === block) return;
    const node = blockNode(block);
    node.source = block;
    if (shown) shown.replaceWith(node);
    else container.append(node);
  });
  while (container.children.length > blocks.length) container.lastElementChild.remove();
}

function blockNode(block) {
  if (/^\s{0,3}(```|~~~)/.test(block)) return codeNode(block);
  const lines = block.split("\n");
  if (/^\s*([-*+]|\d+[.)])\s/.test(lines[0])) return listNode(lines);
  const heading = block.match(/^#{1,6}\s+(.*)$/s);
  if (heading) return make("p", { className: "heading" }, ...inline(heading[1]));
  return make("p", {}, ...inline(block));
}

function codeNode(block) {
  const lines = block.split("\n");
  const language = lines[0].replace(/^\s*(```+|~~~+)/, "").trim().split(/\s/)[0];
  const closed = lines.length > 1 && /^\s*(```+|~~~+)\s*$/.test(lines.at(-1));
  const text = lines.slice(1, closed ? -1 : undefined).join("\n");
  const copy = button("Copy", "copy", () => {
    navigator.clipboard?.writeText(text).then(() => {
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = "Copy"), 1500);
    });
  });
  const head = make("figcaption", {}, make("span", { textContent: language || "code" }), copy);
  const code = make("code", { textContent: text });
  return make("figure", { className: "code" }, head, make("pre", { tabIndex: 0 }, code));
}

function listNode(lines) {
  const ordered = /^\s*\d/.test(lines[0]);
  const items = [];
  for (const line of lines) {
    const item = line.match(/^\s*(?:[-*+]|\d+[.)])\s+(.*)$/);
    if (item) items.push(item[1]);
    else items.push((items.pop() ?? "") + "\n" + line.trim());
  }
  const list = make(ordered ? "ol" : "ul");
  if (ordered) list.start = parseInt(lines[0].trim(), 10);
  for (const item of items) list.append(make("li", {}, ...inline(item)));
  return list;
}

const CODE = /(?<!`)(`+)(?!`)([^\n]*?[^`\n])\1(?!`)/;
const ESCAPED = /\\([!-/:-@[-`{-~])/;
const BOLD = /\*\*((?:\\.|[^*\\\n])+)\*\*/;
const EMPHASIS = /\*((?:\\.|[^*\\\s])(?:\\.|[^*\\\n])*)\*/;
const INLINE = new RegExp([CODE, ESCAPED, BOLD, EMPHASIS].map((each) => each.source).join("|"), "g");

// A line of text with its code, bold and emphasis; a backslash takes the meaning from a mark.
export function inline(text) {
  const nodes = [];
  let rest = 0;
  for (const found of text.matchAll(INLINE)) {
    const [, , code, mark, bold, emphasis] = found;
    if (found.index > rest) nodes.push(...plain(text.slice(rest, found.index)));
    if (code !== undefined) nodes.push(make("code", { textContent: unpadded(code) }));
    else if (mark !== undefined) nodes.push(mark);
    else if (bold !== undefined) nodes.push(make("strong", {}, ...inline(bold)));
    else nodes.push(make("em", {}, ...inline(emphasis)));
    rest = found.index + found[0].length;
  }
  nodes.push(...plain(text.slice(rest)));
  return nodes;
}

// The spaces that keep backticks of the text from those around it.
function unpadded(code) {
  return /^ .*[^ ].* $/.test(code) ? code.slice(1, -1) : code;
}

function plain(text) {
  return text.split("\n").flatMap((line, index) => (index ? [make("br"), line] : [line]));
}
