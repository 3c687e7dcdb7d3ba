"""A question, researched on the web: queries, pages, passages, an answer that cites."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from servers.capsules.asking import strictly
from servers.capsules.skill import Skill
from servers.capsules.strict_answers import NotOfTheForm
from servers.runtime.language.terms import terms

from .citations import DISAGREEMENT, Checked, checked, marked, quote
from .gathering import gathered
from .passages import Page, Passage, passages_of, picked
from .planning import Queries, planned, unplanned, usable

QUERIES, PAGES = 3, 5
PASSAGES, PASSAGES_OF_A_PAGE, ROOM = 12, 4, 9000
"""Of pages in the prompt; characters, about 2,300 tokens."""
EXTRACTED = 6
"""Passages that stand for an answer where no model can write one."""
WORDS = 250


async def run(skill: Skill) -> Mapping[str, object]:
    """The answer with its sources; what was not found, failed, or is not cited is said."""
    question, model = skill.input["question"], await skill.model()
    queries = await _queries(skill, question, capable=model.capable)
    await skill.progress(f"searching: {'; '.join(queries)}", 0.1)
    found = await gathered(skill, queries, skill.input.get("pages", PAGES))
    wanted = terms(" ".join([question, *queries]))
    # Pages may be long, and others share the process.
    matter = await asyncio.to_thread(_matter, found.pages, wanted)
    skill.measure("pages_read", len(found.pages))
    skill.measure("pages_failed", found.failed)
    skill.measure("passages", len(matter))
    told: dict[str, object] = {"queries": queries, "pages_found": found.found}
    if not matter:
        return {**told, **_nothing(found.found, len(found.pages))}
    await skill.progress("writing the answer", 0.8)
    if model.capable:
        way, answer = "model", await _written(skill, question, found.pages, matter)
    else:
        way, answer = "extractive", _extracted(matter, wanted)
    return {**told, "status": "answered", "way": way, **_cited(answer, found.pages, matter)}


def _matter(pages: Sequence[Page], wanted: Sequence[str]) -> list[Passage]:
    passages = [each for page in pages for each in passages_of(page)]
    return picked(passages, wanted, PASSAGES, PASSAGES_OF_A_PAGE, ROOM)


async def _queries(skill: Skill, question: str, *, capable: bool) -> list[str]:
    """Planned by the model if it can, else the question and its terms."""
    most = skill.input.get("queries", QUERIES)
    if not capable:
        return unplanned(question, most)
    asked = json.dumps(
        {"question": question, "date": datetime.now(UTC).date().isoformat()}, ensure_ascii=False
    )
    try:
        plan = await strictly(
            skill, Queries, asked, system=skill.render("queries", most=most), check=usable
        )
    except NotOfTheForm as wrong:
        skill.warn(f"the model planned no searches ({wrong}); the question itself is searched for")
        return unplanned(question, most)
    return planned(plan, most)


async def _written(
    skill: Skill, question: str, pages: Sequence[Page], matter: Sequence[Passage]
) -> str:
    sources = [
        {
            "n": page.number,
            "title": page.title,
            "url": page.url,
            "fetched_at": page.fetched_at,
            "passages": _texts(page, matter),
        }
        for page in pages
        if _texts(page, matter)
    ]
    asked = json.dumps({"question": question, "sources": sources}, ensure_ascii=False)
    system = skill.render("answer", disagreement=DISAGREEMENT, words=WORDS)
    return (await skill.generate(asked, system=system, temperature=0.2)).strip()


def _extracted(matter: Sequence[Passage], wanted: Sequence[str]) -> str:
    """What the best passages say, each with its source."""
    best = picked(matter, wanted, EXTRACTED, 2, ROOM)
    lines = [f"{quote(' '.join(wanted), [each.text]).rstrip()} [{each.page}]" for each in best]
    return "\n".join(dict.fromkeys(lines))


def _cited(answer: str, pages: Sequence[Page], matter: Sequence[Passage]) -> dict[str, object]:
    joined = {p.number: " ".join(t) for p in pages if (t := _texts(p, matter))}
    check = checked(answer, joined)
    return {
        "answer": marked(answer, check.unknown),
        "sources": [_source(page, check, matter) for page in pages if page.number in check.cited],
        "also_read": [page.url for page in pages if page.number not in check.cited],
        "citations": {
            "sentences": len(check.sentences),
            "unknown": list(check.unknown),
            "uncited": list(check.uncited),
            "weak": list(check.weak),
        },
        "disagreements": list(check.disagreements),
    }


def _source(page: Page, check: Checked, matter: Sequence[Passage]) -> dict[str, object]:
    citing = [each.text for each in check.sentences if page.number in each.cited]
    quotes = [quote(each, _texts(page, matter)) for each in citing]
    return {
        "n": page.number,
        "url": page.url,
        "title": page.title,
        "fetched_at": page.fetched_at,
        "quotes": list(dict.fromkeys(filter(None, quotes))),
    }


def _texts(page: Page, matter: Sequence[Passage]) -> list[str]:
    return [each.text for each in matter if each.page == page.number]


def _nothing(found: int, read: int) -> dict[str, object]:
    if not found:
        message = "the searches found nothing"
    elif not read:
        message = "pages were found, but none could be read"
    else:
        message = "none of the pages that were read says anything about the question"
    return {"status": "nothing_found", "answer": "", "message": message, "sources": []}
