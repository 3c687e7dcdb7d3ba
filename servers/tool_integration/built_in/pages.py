"""The text of web pages. Pure."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode
from yarl import URL

MOST_LINKS = 30
LEAST_ARTICLE = 200
"""A `main` or `article` with less text than this is not what the page is about."""

UNSEEN = (
    "script, style, noscript, template, svg, iframe, object, canvas, head, nav, aside, footer, "
    "form, dialog, [hidden], [aria-hidden=true], [style*='display:none'], [style*='display: none']"
)
"""What readers of a page do not see, or do not come for. Hidden text is written for models."""

BLOCKS = re.compile(
    "address|article|blockquote|br|dd|details|div|dl|dt|fieldset|figcaption|figure|h[1-6]|header|hr|"
    "li|main|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|tr|ul"
)
"""Elements that begin a line."""

CODECS = re.compile(
    r"utf-8|utf-8-sig|utf-16(-[lb]e)?|ascii|iso8859-\d+|cp(125\d|866|874|932|949|950)|koi8-[ru]|"
    r"gb2312|gbk|gb18030|big5|shift_jis|euc_(jp|kr)|iso2022_(jp|kr)|mac-(roman|cyrillic)"
)
"""Encodings of texts, by Python's names. Python knows others that are slow, or no encodings."""


@dataclass(frozen=True)
class Page:
    """What a page says. Links by their whole addresses, with their texts."""

    title: str
    description: str
    text: str
    links: list[tuple[str, str]]


def decoded(body: bytes, charset: str | None, *, html: bool) -> str:
    """A body as text, by what the server or the page says of its encoding, else as UTF-8; what is
    not of it becomes U+FFFD."""
    for bom, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if body.startswith(bom):
            return body.decode(name, "replace")
    declared = charset or (_declared(body) if html else None)
    return body.decode(_known(declared), "replace")


def read(html: str, url: URL, *, links: bool) -> Page:
    """The text of an HTML page, a line for each block."""
    tree = LexborHTMLParser(html)
    title, description = _title(tree), _description(tree)
    found = list(_links(tree, url)) if links else []
    for node in tree.css(UNSEEN):
        node.decompose()
    return Page(title, description, _text(_core(tree)), found)


def tidy(text: str) -> str:
    """Without more white space than lines and words need."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _declared(body: bytes) -> str | None:
    found = re.search(rb"<meta[^>]{0,200}charset=[\"']?\s*([A-Za-z0-9_-]{1,40})", body[:2048], re.I)
    return found[1].decode("ascii") if found else None


def _known(charset: str | None) -> str:
    try:
        name = codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
    return name if CODECS.fullmatch(name) else "utf-8"


def _title(tree: LexborHTMLParser) -> str:
    node = tree.css_first("head > title") or tree.css_first("h1")
    return tidy(node.text())[:300] if node else ""


def _description(tree: LexborHTMLParser) -> str:
    node = tree.css_first("meta[name=description]")
    return tidy(node.attributes.get("content") or "")[:500] if node else ""


def _links(tree: LexborHTMLParser, url: URL) -> Iterator[tuple[str, str]]:
    seen = set[str]()
    for node in tree.css("a[href]"):
        try:
            target = str(url.join(URL(node.attributes.get("href") or "")).with_fragment(None))
        except (ValueError, TypeError):
            continue
        if target.startswith(("http://", "https://")) and target not in seen:
            seen.add(target)
            yield target, tidy(node.text())[:200]
        if len(seen) >= MOST_LINKS:
            return


def _core(tree: LexborHTMLParser) -> LexborNode | None:
    """What the page is about, where it says so."""
    for selector in ("main", "article", "[role=main]"):
        node = tree.css_first(selector)
        if node is not None and len(node.text(strip=True)) >= LEAST_ARTICLE:
            return node
    return tree.body


def _text(node: LexborNode | None) -> str:
    if node is None:
        return ""
    pieces = list[str]()
    for each in node.traverse(include_text=True):
        if each.tag == "-text":
            pieces.append(each.text_content or "")
        elif BLOCKS.fullmatch(each.tag or ""):
            pieces.append("\n")
    return tidy("".join(pieces))
