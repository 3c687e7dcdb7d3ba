"""Memory and search asked at once, their finds merged and reranked. No model is needed."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from servers.capsules.skill import Skill, SkillError
from servers.runtime.language.terms import terms

from .candidates import MOST_CHARACTERS, candidates
from .reranking import FORMULA, Ranked, reranked, why

LOOKED_AT = 30
"""Finds of each source that are reranked."""
LIMIT, DIVERSITY = 8, 0.3
SOURCES = ("memory", "messages")


async def run(skill: Skill) -> Mapping[str, object]:
    """The best finds for the question, each with where it is from and why it stands there."""
    query, question = skill.input["query"], terms(skill.input["query"])
    lists = await _asked(skill, query, skill.input.get("sources", SOURCES))
    # Texts may be long, and others share the process.
    found = await asyncio.to_thread(candidates, lists)
    hits = await asyncio.to_thread(
        reranked,
        found,
        question,
        lists,
        skill.input.get("limit", LIMIT),
        skill.input.get("diversity", DIVERSITY),
    )
    skill.measure("candidates", len(found))
    return {
        "hits": [_shown(place, hit, question) for place, hit in enumerate(hits, start=1)],
        "searched": {name: len(each) for name, each in lists.items()},
        "merged": sum(each.merged for each in found),
        "formula": FORMULA,
    }


async def _asked(
    skill: Skill, query: str, sources: Sequence[str]
) -> dict[str, Sequence[Mapping[str, Any]]]:
    """What each source found. One that fails is told of; if all do, the first failure is raised."""
    names = [name for name in SOURCES if name in sources]
    asking = {"memory": skill.recall, "messages": skill.search}
    answers = await asyncio.gather(*(_tried(asking[name](query, LOOKED_AT)) for name in names))
    failed = {n: a for n, a in zip(names, answers, strict=True) if isinstance(a, SkillError)}
    for name, error in failed.items():
        if len(failed) == len(names):
            raise error
        skill.warn(f"{name} could not be asked: {error.message}")
    return {n: a for n, a in zip(names, answers, strict=True) if not isinstance(a, SkillError)}


async def _tried(asking: Awaitable[list[dict[str, Any]]]) -> list[dict[str, Any]] | SkillError:
    try:
        return await asking
    except SkillError as error:
        return error


def _shown(place: int, hit: Ranked, question: Sequence[str]) -> dict[str, object]:
    found = hit.candidate
    return {
        "place": place,
        "id": found.id,
        "source": found.source,
        "found_in": sorted(found.ranks),
        "content": found.content[:MOST_CHARACTERS],
        "conversation_id": found.conversation_id,
        "role": found.role,
        "timestamp": found.timestamp,
        "relevance": hit.relevance,
        "fusion": hit.fusion,
        "coverage": hit.coverage,
        "recency": hit.recency,
        "why": why(hit, question),
    }
