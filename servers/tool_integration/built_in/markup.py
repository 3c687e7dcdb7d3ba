"""The tags and texts of an HTML page, one after the other. Pure.

No tree is built: what building one costs grows with the square of what a hostile page nests, or
gives attributes to, and takes hours for a page of two megabytes. Here each character is looked at
a few times at most.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_TAG = 10_000
"""Characters of a tag that are looked at with its quotes in mind."""

NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9-]{0,40})")
WHOLE = re.compile(r"""<[^"'>]*+(?:"[^"]*+"[^"'>]*+|'[^']*+'[^"'>]*+)*+>""")
ATTRIBUTE = re.compile(r"""\s([A-Za-z-]{1,30})\s{0,3}=\s{0,3}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
LONG_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}")
"""No character has such a number, and reading one of millions of digits takes its time."""
RAW = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "iframe", "noscript", "xmp", "noembed")
}
"""Elements in which there are no tags, and where they end."""


@dataclass(frozen=True, slots=True)
class Text:
    """What stands between tags. `within`: the element, if it is one in which there are none."""

    text: str
    within: str = ""


@dataclass(frozen=True, slots=True)
class Tag:
    """A start tag, or an end tag."""

    name: str
    source: str
    end: bool

    def attributes(self) -> dict[str, str]:
        """Its attributes; the first of a name counts."""
        found: dict[str, str] = {}
        for each in ATTRIBUTE.finditer(self.source):
            found.setdefault(each[1].lower(), unescaped(each[2] or each[3] or each[4] or ""))
        return found


def pieces(page: str) -> Iterator[Text | Tag]:
    """The tags and texts in order; comments are left out, and so is what has no end."""
    place = 0
    while 0 <= place < len(page):
        begin = page.find("<", place)
        if begin != place:
            yield Text(unescaped(page[place : begin if begin >= 0 else len(page)]))
        if begin < 0:
            return
        name = NAME.match(page, begin)
        if name is None:
            place = _behind_other(page, begin)
            if place == begin + 1:
                yield Text("<")
            continue
        place = _behind(page, begin)
        if place < 0:
            return
        tag = Tag(
            name[1].lower(), page[begin : min(place, begin + MOST_TAG)], page[begin + 1] == "/"
        )
        yield tag
        if tag.name in RAW and not tag.end:
            found = RAW[tag.name].search(page, place)
            end = found.start() if found else len(page)
            yield Text(unescaped(page[place:end]), tag.name)
            place = end


def unescaped(text: str) -> str:
    """A text with the characters that its references stand for."""
    return html.unescape(LONG_NUMBER.sub("", text)) if "&" in text else text


def _behind(page: str, begin: int) -> int:
    """The place behind a tag; -1 if it has no end. A `>` within quotes ends none, unless the quotes
    go on for too long."""
    whole = WHOLE.match(page, begin, begin + MOST_TAG)
    if whole is not None:
        return whole.end()
    end = page.find(">", begin)
    return end + 1 if end >= 0 else -1


def _behind_other(page: str, begin: int) -> int:
    """The place behind a comment or declaration; behind the `<` where it is just that sign."""
    if page.startswith("<!--", begin):
        end = page.find("-->", begin + 4)
        return end + 3 if end >= 0 else -1
    if page.startswith(("<!", "<?", "</"), begin):
        end = page.find(">", begin)
        return end + 1 if end >= 0 else -1
    return begin + 1
