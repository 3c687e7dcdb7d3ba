"""Packing candidates into a budget of tokens. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from kari.conversation_models.v1.context_pb2 import (
    ContextBundle,
    ContextCandidate,
    ContextManifest,
    ContextVerdict,
)
from servers.context_integrator.likeness import ANYBODY, Said
from servers.context_integrator.part import (
    DOMAIN,
    FILE,
    LONG_TERM,
    PAST_THREAD,
    RECENT,
    SUMMARY,
    SYSTEM,
    THREAD,
    VAULT,
    Part,
)
from servers.context_integrator.prompt import (
    FILES,
    RECALLED,
    TITLES,
    line,
    messages_of,
    prompt_hash,
)
from servers.context_integrator.ranking import Candidate, ranked
from servers.runtime.sharing import water_level
from servers.runtime.tokens import MESSAGE_OVERHEAD, PROMPT_OVERHEAD

KEPT = ContextVerdict.CONTEXT_VERDICT_KEPT
SHORTENED = ContextVerdict.CONTEXT_VERDICT_SHORTENED
IN_PROMPT = (KEPT, SHORTENED)
CUT_BUDGET = ContextVerdict.CONTEXT_VERDICT_CUT_BUDGET
CUT_RELEVANCE = ContextVerdict.CONTEXT_VERDICT_CUT_RELEVANCE
DUPLICATE = ContextVerdict.CONTEXT_VERDICT_DUPLICATE
NEAR_DUPLICATE = ContextVerdict.CONTEXT_VERDICT_NEAR_DUPLICATE

LATEST = 4
"""The last exchanges go in before anything that merely matches: an answer has to know what it
answers."""

RESERVES = (
    (frozenset({RECENT}), 0.5),
    (frozenset({LONG_TERM, PAST_THREAD}), 0.25),
    (frozenset({VAULT, DOMAIN}), 0.15),
    (frozenset({SUMMARY}), 0.1),
)
"""Shares of what is left beside what has to be in, in the dev sheet's order of priority: no source
takes another one's. What a source leaves of its share goes to whatever ranks highest."""

FILE_RESERVE = 0.4
"""Share of what is left beside the latest exchanges that files may take before all other sources,
which share the rest: a message with a file is mostly about it. Without files it is theirs."""

LINE_OVERHEAD = 2
"""Tokens that the end of a quoted line may take beyond those of its text."""

TOKEN_CHARACTERS = 64
"""Hardly any token has more characters. What is longer than this for each token that is left is not
even counted."""

Count = Callable[[str], int]
Shorten = Callable[[str, int], str]


class Packing:
    """One prompt in the making."""

    def __init__(self, budget: int, count: Count, shorten: Shorten) -> None:
        self._budget = budget
        self._left = budget - PROMPT_OVERHEAD
        self._count = count
        self._shorten = shorten
        self._instructions = ""
        self._kept: list[Part] = []
        self._said = Said()
        self._sequences: set[int] = set()
        self._seen: list[ContextCandidate] = []
        self._pins_left_out = 0

    def require(self, needed: Sequence[Candidate], pins: Sequence[Candidate]) -> None:
        """Takes what has to be in: pins, and beside them the instructions and the message that is
        answered. Where these do not fit, the longest of them lose their ends until they do; then
        pins get half of the room, the newest first, and those left out are counted."""
        wanted = sum(self._count(c.part.text) + MESSAGE_OVERHEAD for c in needed)
        self._pin(pins, max(self._left - wanted, self._left // 2))
        sizes = [self._count(c.part.text) for c in needed]
        level = water_level(sizes, max(0, self._left - MESSAGE_OVERHEAD * len(needed)))
        for candidate, size in zip(needed, sizes, strict=True):
            if size <= level:
                self._keep(candidate, size + MESSAGE_OVERHEAD)
            else:
                self._keep_short(candidate, level)

    def offer(self, candidates: Sequence[Candidate]) -> None:
        """Takes what fits: the latest exchanges first, then files and each other source up to its
        reserve, then whatever ranks highest."""
        recent = sorted(_of(candidates, RESERVES[0][0]), key=lambda c: -c.part.sequence)
        for candidate in recent[:LATEST]:
            self._offer_one(candidate)
        taken = {id(candidate) for candidate in recent[:LATEST]}
        left = ranked(c for c in candidates if id(c) not in taken)
        left = self._offer_within(left, frozenset({FILE}), int(self._left * FILE_RESERVE))
        room = self._left
        for sources, share in RESERVES:
            left = self._offer_within(left, sources, int(room * share))
        for candidate in left:
            self._offer_one(candidate)

    def bundle(self) -> ContextBundle:
        """The prompt in order, and its manifest."""
        messages = messages_of(self._instructions, self._kept)
        self._note_places()
        manifest = ContextManifest(
            candidates=self._seen,
            tokens=self._budget - self._left,
            budget_tokens=self._budget,
            prompt_hash=prompt_hash(messages),
            instructions=self._instructions,
            pins_left_out=self._pins_left_out,
        )
        return ContextBundle(messages=messages, manifest=manifest)

    def _pin(self, pins: Sequence[Candidate], room: int) -> None:
        """Only the newest pin loses its end if it does not fit, so that there is always one."""
        for number, pin in enumerate(sorted(pins, key=lambda c: -c.part.sequence)):
            cost = self._count(pin.part.text) + MESSAGE_OVERHEAD
            if cost <= room:
                self._keep(pin, cost)
                room -= cost
            elif number == 0 and room > MESSAGE_OVERHEAD:
                self._keep_short(pin, room - MESSAGE_OVERHEAD)
                room = 0
            else:
                self._note(pin, cost, CUT_BUDGET)
                self._pins_left_out += 1

    def _note_places(self) -> None:
        """The system message, with all that is quoted in it, comes first; the thread follows."""
        thread = sorted((p for p in self._kept if p.source in THREAD), key=lambda p: p.sequence)
        places = {part.id: place for place, part in enumerate(thread, start=2)}
        for entry in self._seen:
            if entry.verdict in IN_PROMPT:
                entry.place = places[entry.message_id] if entry.source in THREAD else 1

    def _offer_within(
        self, candidates: Sequence[Candidate], sources: frozenset[int], reserve: int
    ) -> list[Candidate]:
        """Takes candidates of some sources while their reserve lasts; gives what was not looked
        at."""
        left, stop = list[Candidate](), self._left - reserve
        for candidate in candidates:
            mine = candidate.part.source in sources
            if mine and (not candidate.relevant or self._left - self._cost(candidate) >= stop):
                self._offer_one(candidate)
            else:
                left.append(candidate)
        return left

    def _offer_one(self, candidate: Candidate) -> None:
        part = candidate.part
        if not candidate.relevant:
            return self._note(candidate, self._count(part.text), CUT_RELEVANCE)
        cost = self._cost(candidate)
        if cost > self._left:
            return self._note(candidate, cost, CUT_BUDGET)
        speaker = _speaker(part)
        if self._said.has(speaker, part.text) or self._stands_for_nothing(part):
            return self._note(candidate, cost, DUPLICATE)
        if self._said.has_nearly(speaker, part.text):
            return self._note(candidate, cost, NEAR_DUPLICATE)
        return self._keep(candidate, cost)

    def _stands_for_nothing(self, part: Part) -> bool:
        """Whether all that a summary covers is in the prompt itself."""
        first, last = part.covers
        return first > 0 and self._sequences.issuperset(range(first, last + 1))

    def _cost(self, candidate: Candidate) -> int:
        """Tokens that a candidate takes, or more than are left if it is too long to be counted."""
        part = candidate.part
        if len(part.text) > max(0, self._left) * TOKEN_CHARACTERS:
            return max(self._left, len(part.text) // TOKEN_CHARACTERS) + 1
        if part.source in THREAD:
            return self._count(part.text) + MESSAGE_OVERHEAD
        return self._count(line(part)) + LINE_OVERHEAD + self._heading(part)

    def _heading(self, part: Part) -> int:
        """Tokens of what stands above the first quotation, and above the first of a source."""
        quoted = {kept.source for kept in self._kept if kept.source not in THREAD}
        if part.source == FILE:
            return 0 if FILE in quoted else self._count(FILES) + 2 * LINE_OVERHEAD
        tokens = 0 if quoted - {FILE} else self._count(RECALLED) + 2 * LINE_OVERHEAD
        if part.source not in quoted:
            tokens += self._count(TITLES[part.source]) + LINE_OVERHEAD
        return tokens

    def _keep_short(self, candidate: Candidate, level: int) -> None:
        text = self._shorten(candidate.part.text, level)
        tokens = self._count(text) + MESSAGE_OVERHEAD
        shortened = replace(candidate, part=replace(candidate.part, text=text))
        self._keep(shortened, tokens, SHORTENED)

    def _keep(
        self, candidate: Candidate, tokens: int, verdict: ContextVerdict.ValueType = KEPT
    ) -> None:
        part = candidate.part
        self._left -= tokens
        self._note(candidate, tokens, verdict)
        if part.source == SYSTEM:
            self._instructions = part.text
            return
        self._kept.append(part)
        self._said.add(_speaker(part), part.text)
        if part.source in THREAD:
            self._sequences.add(part.sequence)

    def _note(self, candidate: Candidate, tokens: int, verdict: ContextVerdict.ValueType) -> None:
        self._seen.append(noted(candidate, tokens, verdict))


def noted(candidate: Candidate, tokens: int, verdict: ContextVerdict.ValueType) -> ContextCandidate:
    """A candidate as the manifest has it: with all that is needed to find its text again."""
    part = candidate.part
    entry = ContextCandidate(
        source=part.source,
        score=candidate.score,
        similarity=candidate.similarity,
        tokens=tokens,
        verdict=verdict,
    )
    setattr(entry, _ID.get(part.source, "message_id"), part.id)
    if part.source in (PAST_THREAD, LONG_TERM):
        entry.conversation_id, entry.start = part.conversation_id, part.start
        entry.characters = len(part.text)
    elif part.source == FILE:
        entry.conversation_id, entry.chunk = part.conversation_id, part.chunk
        entry.characters = len(part.text)
    elif part.source == SUMMARY:
        entry.conversation_id = part.conversation_id
    elif verdict == SHORTENED:
        entry.characters = len(part.text)
    return entry


_ID = {VAULT: "memory_id", DOMAIN: "memory_id", SUMMARY: "summary_id", FILE: "file_id"}


def _speaker(part: Part) -> int:
    return part.role if part.source in THREAD else ANYBODY


def _of(candidates: Sequence[Candidate], sources: frozenset[int]) -> list[Candidate]:
    return [candidate for candidate in candidates if candidate.part.source in sources]
