"""The text of web pages. Pure."""

import codecs
import re
from dataclasses import dataclass, field

from yarl import URL

from servers.tool_integration.built_in.markup import Tag, Text, pieces

MOST_LINKS = 30
MOST_PIECES = 50_000
"""Tags and texts that are read: half a second's work, and more than pages for people have."""
LEAST_ARTICLE = 200
"""A `main` or `article` with less text than this is not what the page is about."""

CORE = frozenset({"main", "article"})
UNSEEN = frozenset(
    {"head", "nav", "aside", "footer", "dialog", "svg", "template", "object", "canvas", "select"}
)
"""What readers of a page do not see, or do not come for."""
HIDDEN = re.compile(
    r"""\s(?:hidden(?=[\s>=/])|aria-hidden\s{0,3}=\s{0,3}["']?true|"""
    r"""style\s{0,3}=\s{0,3}["'][^"']{0,500}display\s{0,3}:\s{0,3}none)""",
    re.IGNORECASE,
)
"""Hidden text is written for machines, such as models."""
VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"}
)
ENDS_ITSELF = frozenset({"p", "li", "dd", "dt", "td", "th", "tr", "option"})
"""Elements that end where the next of their kind begins."""
BLOCKS = re.compile(
    "address|article|blockquote|br|dd|details|div|dl|dt|fieldset|figcaption|figure|h[1-6]|header|hr|"
    "li|main|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|tr|ul"
)
"""Elements that are lines of their own."""

CODECS = re.compile(
    r"utf-8|utf-8-sig|utf-16(-[lb]e)?|ascii|iso8859-\d+|cp(125\d|866|874|932|949|950)|koi8-[ru]|"
    r"gb2312|gbk|gb18030|big5|shift_jis|euc_(jp|kr)|iso2022_(jp|kr)|mac-(roman|cyrillic)"
)
"""Encodings of texts, by Python's names. Python knows others that are slow, or no encodings."""
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
DECLARED = re.compile(rb"<meta[^>]{0,200}charset=[\"']?\s*([A-Za-z0-9_-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True)
class Page:
    """What a page says. Links by their whole addresses, with their texts. `cut`: it has more."""

    title: str
    description: str
    text: str
    links: list[tuple[str, str]]
    cut: bool = False


def decoded(body: bytes, charset: str | None, *, html: bool) -> str:
    """A body as text, by what the server or the page says of its encoding, else as UTF-8; what is
    not of it becomes U+FFFD."""
    for bom, name in BOMS:
        if body.startswith(bom):
            return body.decode(name, "replace")
    declared = DECLARED.search(body[:2048]) if html and charset is None else None
    return body.decode(_known(declared[1].decode() if declared else charset), "replace")


def read(html: str, url: URL, *, links: bool) -> Page:
    """The text of an HTML page, a line for each block."""
    reading = _Reading(url, links)
    for count, piece in enumerate(pieces(html)):
        if count >= MOST_PIECES:
            reading.cut = True
            break
        if isinstance(piece, Tag):
            reading.tag(piece)
        else:
            reading.text(piece)
    return reading.page()


def tidy(text: str) -> str:
    """Without more white space than lines and words need."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _known(charset: str | None) -> str:
    try:
        name = codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
    return name if CODECS.fullmatch(name) else "utf-8"


@dataclass
class _Reading:
    """What was read so far. `skipped` is the element whose text is left out, `levels` how many of
    its kind are open in it."""

    url: URL
    wants_links: bool
    title: str = ""
    description: str = ""
    words: list[str] = field(default_factory=list)
    core_words: list[str] = field(default_factory=list)
    core: int = 0
    heading: list[str] = field(default_factory=list)
    heading_open: bool = False
    link: tuple[str, list[str]] | None = None
    links: dict[str, list[str]] = field(default_factory=dict)
    skipped: str = ""
    levels: int = 0
    cut: bool = False

    def text(self, piece: Text) -> None:
        """Words, where a reader would see them."""
        if piece.within == "title" and not self.title:
            self.title = tidy(piece.text)[:300]
        if piece.within not in ("", "textarea", "xmp"):
            return
        if self.link is not None:
            self.link[1].append(piece.text)
        if self.skipped:
            return
        self._add(piece.text)
        if self.heading_open:
            self.heading.append(piece.text)

    def tag(self, tag: Tag) -> None:
        """An element begins or ends."""
        if tag.name == "meta" and not self.description:
            self._describe(tag)
        if tag.name == "a" and self.wants_links:
            self._link(tag)
        if self.skipped:
            self._skip(tag)
        elif not tag.end and tag.name not in VOID and _unseen(tag):
            self.skipped, self.levels = tag.name, 1
        else:
            self._block(tag)

    def page(self) -> Page:
        """All of it."""
        core, whole = tidy("".join(self.core_words)), tidy("".join(self.words))
        title = self.title or tidy("".join(self.heading))[:300]
        links = [(target, tidy("".join(text))[:200]) for target, text in self.links.items()]
        text = core if len(core) >= LEAST_ARTICLE else whole
        return Page(title, self.description, text, links, self.cut)

    def _add(self, text: str) -> None:
        self.words.append(text)
        if self.core:
            self.core_words.append(text)

    def _skip(self, tag: Tag) -> None:
        if tag.name == "body" and self.skipped == "head":
            self.skipped = ""
        elif tag.name == self.skipped:
            ended = tag.end or tag.name in ENDS_ITSELF
            self.levels += -1 if ended else 1
            if not self.levels:
                self.skipped = ""

    def _block(self, tag: Tag) -> None:
        if tag.name in CORE:
            self.core = max(0, self.core + (-1 if tag.end else 1))
        if tag.name == "h1":
            self.heading_open = not tag.end and not self.heading
        if BLOCKS.fullmatch(tag.name):
            self._add("\n")

    def _describe(self, tag: Tag) -> None:
        attributes = tag.attributes()
        if attributes.get("name", "").lower() == "description":
            self.description = tidy(attributes.get("content", ""))[:500]

    def _link(self, tag: Tag) -> None:
        self.link = None
        target = None if tag.end else _target(self.url, tag.attributes().get("href", ""))
        if target is None or target in self.links or len(self.links) >= MOST_LINKS:
            return
        self.links[target] = []
        self.link = (target, self.links[target])


def _unseen(tag: Tag) -> bool:
    return tag.name in UNSEEN or HIDDEN.search(tag.source) is not None


def _target(url: URL, href: str) -> str | None:
    try:
        target = str(url.join(URL(href.strip())).with_fragment(None))
    except (ValueError, TypeError):
        return None
    return target if href and target.startswith(("http://", "https://")) else None
