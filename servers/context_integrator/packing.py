"""Packing candidates into a budget of tokens. Pure."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kari.conversation_models.v1.context_pb2 import (
    ContextBundle,
    ContextCandidate,
    ContextManifest,
    ContextSource,
    ContextVerdict,
    PromptMessage,
)
from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from servers.context_integrator.ranking import Candidate, ranked
from servers.runtime.tokens import MESSAGE_OVERHEAD, PROMPT_OVERHEAD

# The last exchanges go in before anything that merely matches: an answer has to know what it
# answers.
LATEST = 4

# Hardly any token has more characters. What is longer than this for each token that is left is not
# even counted.
TOKEN_CHARACTERS = 64

Count = Callable[[str], int]
Shorten = Callable[[str, int], str]


@dataclass(frozen=True, slots=True)
class _Kept:
    order: int
    role: MessageRole.ValueType
    content: str


class Packing:
    """One prompt in the making."""

    def __init__(self, budget: int, count: Count, shorten: Shorten) -> None:
        self._budget = budget
        self._left = budget - PROMPT_OVERHEAD
        self._count = count
        self._shorten = shorten
        self._kept: list[_Kept] = []
        self._texts: set[tuple[int, str]] = set()
        self._seen: list[ContextCandidate] = []

    def require(self, candidates: Sequence[Candidate]) -> None:
        """Takes candidates that have to be in. Where they do not fit together, the longest ones
        lose their ends until they do."""
        sizes = [self._count(c.message.content) for c in candidates]
        room = max(0, self._left - MESSAGE_OVERHEAD * len(candidates))
        level = water_level(sizes, room)
        for candidate, size in zip(candidates, sizes, strict=True):
            if size <= level:
                self._keep(candidate, candidate.message.content, size)
            else:
                self._keep_short(candidate, level)

    def offer(self, candidates: Sequence[Candidate]) -> None:
        """Takes what fits: the latest exchanges first, then by rank."""
        newest_first = sorted(candidates, key=lambda c: -c.order)
        for candidate in (*newest_first[:LATEST], *ranked(newest_first[LATEST:])):
            self._offer_one(candidate)

    def bundle(self) -> ContextBundle:
        """The prompt in order, and its manifest."""
        messages = [
            PromptMessage(role=k.role, content=k.content)
            for k in sorted(self._kept, key=lambda k: k.order)
        ]
        manifest = ContextManifest(
            candidates=self._seen,
            tokens=self._budget - self._left,
            budget_tokens=self._budget,
            prompt_hash=prompt_hash(messages),
        )
        return ContextBundle(messages=messages, manifest=manifest)

    def _offer_one(self, candidate: Candidate) -> None:
        message = candidate.message
        if len(message.content) > max(0, self._left) * TOKEN_CHARACTERS:
            least = len(message.content) // TOKEN_CHARACTERS
            return self._note(candidate, least, ContextVerdict.CONTEXT_VERDICT_CUT_BUDGET)
        tokens = self._count(message.content)
        if (message.role, message.content) in self._texts:
            self._note(candidate, tokens, ContextVerdict.CONTEXT_VERDICT_DUPLICATE)
        elif tokens + MESSAGE_OVERHEAD > self._left:
            self._note(candidate, tokens, ContextVerdict.CONTEXT_VERDICT_CUT_BUDGET)
        else:
            self._keep(candidate, message.content, tokens)
        return None

    def _keep_short(self, candidate: Candidate, level: int) -> None:
        text = self._shorten(candidate.message.content, level)
        verdict = ContextVerdict.CONTEXT_VERDICT_SHORTENED
        self._keep(candidate, text, self._count(text), verdict)

    def _keep(
        self,
        candidate: Candidate,
        text: str,
        tokens: int,
        verdict: ContextVerdict.ValueType = ContextVerdict.CONTEXT_VERDICT_KEPT,
    ) -> None:
        self._left -= tokens + MESSAGE_OVERHEAD
        self._kept.append(_Kept(candidate.order, candidate.message.role, text))
        self._texts.add((candidate.message.role, text))
        self._note(candidate, tokens, verdict)

    def _note(self, candidate: Candidate, tokens: int, verdict: ContextVerdict.ValueType) -> None:
        self._seen.append(
            ContextCandidate(
                source=candidate.source,
                message_id=candidate.message.id,
                score=candidate.score,
                tokens=tokens,
                verdict=verdict,
            )
        )


def water_level(sizes: Sequence[int], room: int) -> int:
    """The largest level for which the sizes, each cut off at it, fit the room together."""
    left, open_ = room, len(sizes)
    for size in sorted(sizes):
        if size * open_ > left:
            return left // open_
        left -= size
        open_ -= 1
    return max(sizes, default=0)


def prompt_hash(messages: Sequence[PromptMessage]) -> str:
    """SHA-256 over the roles and texts in order, each with its length before it."""
    digest = hashlib.sha256()
    for message in messages:
        content = message.content.encode()
        digest.update(b"%d:%d:" % (message.role, len(content)))
        digest.update(content)
    return digest.hexdigest()


def system_candidate(text: str) -> Candidate:
    """The system message as a candidate: first in the prompt."""
    message = Message(role=MessageRole.MESSAGE_ROLE_SYSTEM, content=text)
    return Candidate(message, ContextSource.CONTEXT_SOURCE_SYSTEM, 0.0, -1)
