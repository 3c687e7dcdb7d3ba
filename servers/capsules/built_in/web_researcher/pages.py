"""What a search found and which pages are read. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

RANK_CONSTANT = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009)."""
MOST_OF_A_HOST = 2
"""Pages of one host among those that are read first."""
_TRACKING = ("utm_", "fbclid", "gclid", "mc_cid", "mc_eid", "ref_src")


@dataclass(frozen=True)
class Found:
    """A page that a search named."""

    url: str
    title: str
    snippet: str
    score: float

    @property
    def host(self) -> str:
        """The host of its address."""
        return (urlsplit(self.url).hostname or "").removeprefix("www.")


def found_pages(searches: Sequence[Sequence[Mapping[str, Any]]]) -> list[Found]:
    """The pages that the searches named, each once, the best first: by reciprocal rank fusion,
    among equals the earlier one. What has no http address is left out."""
    scores, first = defaultdict[str, float](float), dict[str, Mapping[str, Any]]()
    for results in searches:
        for rank, (url, result) in enumerate(_addressed(results), start=1):
            scores[url] += 1 / (RANK_CONSTANT + rank)
            first.setdefault(url, result)
    order = sorted(first, key=lambda url: -round(scores[url], 9))
    return [_found(url, first[url], scores[url]) for url in order]


def reading_order(pages: Sequence[Found]) -> list[Found]:
    """The order in which pages are read: no host has more than MOST_OF_A_HOST before the others
    had theirs."""
    seen, first, rest = Counter[str](), list[Found](), list[Found]()
    for page in pages:
        seen[page.host] += 1
        (first if seen[page.host] <= MOST_OF_A_HOST else rest).append(page)
    return first + rest


def canonical(url: str) -> str:
    """An address as it is compared: without fragment and tracking; empty if it is no http one."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host:
        return ""
    query = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not name.startswith(_TRACKING)
    ]
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", urlencode(query), ""))


def _addressed(results: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for result in results:
        if url := canonical(str(result.get("url") or "")):
            yield url, result


def _found(url: str, result: Mapping[str, Any], score: float) -> Found:
    return Found(
        url,
        title=" ".join(str(result.get("title") or "").split())[:200],
        snippet=" ".join(str(result.get("snippet") or "").split())[:500],
        score=score,
    )
