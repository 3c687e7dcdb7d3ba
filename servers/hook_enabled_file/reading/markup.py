"""Text of HTML, without what is not shown. Runs in a job."""

from collections.abc import Iterator
from typing import IO

from selectolax.lexbor import LexborHTMLParser, LexborNode

from servers.hook_enabled_file import extracted
from servers.hook_enabled_file.reading.plain import decoded
from servers.hook_enabled_file.reading.segments import Bounds, behind, segment

UNSHOWN = ("script", "style", "template", "noscript", "svg", "iframe", "object")
BLOCKS = frozenset(
    {
        *("p", "div", "section", "article", "main", "header", "footer", "aside", "nav"),
        *("ul", "ol", "li", "table", "tr", "h1", "h2", "h3", "h4", "h5", "h6"),
        *("blockquote", "pre", "br", "hr", "dl", "dt", "dd", "form", "fieldset"),
        *("figure", "figcaption"),
    }
)


def read(stream: IO[bytes], bounds: Bounds) -> Iterator[bytes]:
    """A piece a block; its line is that of the text as it is read, not of its source."""
    tree = LexborHTMLParser(decoded(stream.read(bounds.characters)))
    title = tree.css_first("title")
    if title is not None and title.text().strip():
        yield extracted.facts({"title": title.text().strip()[:300]})
    tree.strip_tags(list(UNSHOWN))
    blocks = _blocks(tree.body) if tree.body is not None else ()
    for line, text in enumerate(blocks, start=1):
        yield segment(text, line=line)
    yield from behind(stream, bounds)


def _blocks(body: LexborNode) -> Iterator[str]:
    """The texts of blocks, in order: what stands between two beginnings or ends of any."""
    parts: list[str] = []
    for node in body.traverse(include_text=True):
        if node.tag == "-text":
            parts.append(node.text_content or "")
        elif node.tag in BLOCKS:
            if text := " ".join("".join(parts).split()):
                yield text
            parts = []
    if text := " ".join("".join(parts).split()):
        yield text
