"""The hook `policy`: what a tenant does not want in its files."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from servers.hook_enabled_file.extracting import Extracting
from servers.hook_enabled_file.hooks import GUARD, PASSED, REFUSED, Looked, Outcome
from servers.hook_enabled_file.rooms import READING, limits, room_unavailable
from servers.hook_enabled_file.scan import matches
from servers.hook_enabled_file.words import WordRule, rules_of
from servers.runtime.limited import BytesSource, Room


@dataclass(frozen=True)
class Policy:
    """Refuses kinds of active content that the configuration names, and files whose name, bytes or
    text match a tenant's words. Where there are such rules, a file whose text cannot be read is
    refused: nobody can say that it does not match."""

    room: Room
    extracting: Extracting
    active: Sequence[str] = ()
    """Names of rules of `rules/active.yar` that are refused."""
    words: Sequence[WordRule] = ()
    seconds: float = 90.0
    name: str = "policy"
    kind = GUARD
    description = "Refuses active content and words that the configuration names."

    async def unavailable(self) -> str:
        """Without its process for readers."""
        return await room_unavailable(self.room)

    def skips(self, looked: Looked) -> str:
        """Nothing to refuse."""
        if self.active or self._words_for(looked):
            return ""
        return "nothing is configured to be refused"

    async def look(self, looked: Looked) -> Outcome:
        """Refuses a file that matches."""
        rules = rules_of(self._words_for(looked))
        asked = {"carried": ["active"] if self.active else [], "rules": rules}
        found = await matches(self.room, looked, asked, self.seconds)
        active = [reason for rule, reason in found.items() if rule in self.active]
        words = [reason for rule, reason in found.items() if rule.startswith("word_")]
        if active:
            return Outcome(REFUSED, f"not allowed here: {'; '.join(active)}"[:900])
        if rules and not words:
            words = await self._in_text(looked, rules)
        if words:
            return Outcome(REFUSED, f"not allowed here: {'; '.join(words)}"[:900])
        return Outcome(PASSED)

    def _words_for(self, looked: Looked) -> list[WordRule]:
        return [rule for rule in self.words if rule.holds_for(looked.tenant_id)]

    async def _in_text(self, looked: Looked, rules: str) -> list[str]:
        text = looked.file.name
        if self.extracting.reads(looked.file.content_type):
            found = await self.extracting.of(looked)
            text = "\n".join([text, *(segment.text for segment in found.segments)])
        source = BytesSource(await asyncio.to_thread(text.encode))
        bounds = limits(self.seconds, source.size)
        request = json.dumps({"rules": rules}).encode()
        job = self.room.run(f"{READING}.scanning:scan", source, request, bounds)
        return [json.loads(piece)["reason"] for piece in [piece async for piece in job]]
