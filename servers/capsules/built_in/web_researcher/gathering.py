"""Searches and fetches, through the tools alone, and never more of them than agreed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from servers.capsules.skill import Skill, SkillError

from .pages import Found, found_pages, reading_order
from .passages import Page

RESULTS = 10
"""Of each search."""
AT_ONCE = 4


@dataclass(frozen=True)
class Gathered:
    """The pages that were read, and how many were found."""

    pages: Sequence[Page]
    found: int
    failed: int


async def gathered(skill: Skill, queries: Sequence[str], most_pages: int) -> Gathered:
    """Searches for all queries at once and reads the best pages. A page that cannot be read is
    replaced by the next one, at most as often as there are pages to read. SkillError if no search
    worked."""
    found = found_pages(await _searched(skill, queries))
    await skill.progress(f"{len(found)} pages found", 0.3)
    waiting, pages, failed = reading_order(found)[: 2 * most_pages], list[Page](), 0
    while waiting and len(pages) < most_pages:
        size = min(AT_ONCE, most_pages - len(pages))
        now, waiting = waiting[:size], waiting[size:]
        for page in await asyncio.gather(*(_read(skill, each) for each in now)):
            if page is None:
                failed += 1
            else:
                pages.append(_numbered(page, len(pages) + 1))
        await skill.progress(f"{len(pages)} pages read", 0.3 + 0.4 * len(pages) / most_pages)
    return Gathered(pages, len(found), failed)


async def _searched(skill: Skill, queries: Sequence[str]) -> list[list[Mapping[str, Any]]]:
    tried = await asyncio.gather(*(_search(skill, query) for query in queries))
    failed = [each for each in tried if isinstance(each, SkillError)]
    if len(failed) == len(tried):
        raise failed[0]
    for error in failed:
        skill.warn(f"a search failed: {error.message}")
    return [each for each in tried if not isinstance(each, SkillError)]


async def _search(skill: Skill, query: str) -> list[Mapping[str, Any]] | SkillError:
    try:
        given = await skill.call_tool("web.search", {"query": query, "limit": RESULTS})
    except SkillError as error:
        return error
    return [each for each in given["results"] if isinstance(each, dict)]


async def _read(skill: Skill, found: Found) -> Page | None:
    """The page; None, and a warning, if it cannot be read or has no text."""
    try:
        given = await skill.call_tool("web.fetch", {"url": found.url})
    except SkillError as error:
        skill.warn(f"{found.url} could not be read: {error.message}")
        return None
    if not (text := str(given.get("text") or "").strip()):
        skill.warn(f"{found.url} has no text")
        return None
    return Page(
        number=0,
        url=str(given.get("url") or found.url),
        title=str(given.get("title") or found.title),
        fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
        text=text,
    )


def _numbered(page: Page, number: int) -> Page:
    return Page(number, page.url, page.title, page.fetched_at, page.text)
