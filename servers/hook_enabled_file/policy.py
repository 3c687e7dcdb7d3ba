"""The hook `policy`: what a tenant does not want in its files."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from servers.hook_enabled_file.archives import looked_into
from servers.hook_enabled_file.extracted import told
from servers.hook_enabled_file.extracting import Extracting
from servers.hook_enabled_file.hooks import GUARD, PARTIAL, PASSED, REFUSED, Looked, Outcome
from servers.hook_enabled_file.kinds import MAIL
from servers.hook_enabled_file.rooms import READING, limits, room_unavailable
from servers.hook_enabled_file.scan import matches
from servers.hook_enabled_file.words import WordRule, rules_of
from servers.runtime.limited import BytesSource, JobFailed, Room, Why


@dataclass(frozen=True)
class Policy:
    """Refuses kinds of active content that the configuration names, and files whose name, bytes or
    text match a tenant's words, archives and mails with all that is packed in them. Where there are
    such rules, a file whose text cannot be read to its end is refused unless the configuration
    allows it: nobody can say that it does not match."""

    room: Room
    extracting: Extracting
    active: Sequence[str] = ()
    """Names of rules of `rules/active.yar` that are refused."""
    words: Sequence[WordRule] = ()
    seconds: float = 90.0
    allow_unread: bool = False
    bounds: Mapping[str, object] = field(default_factory=dict)
    """Those of archives."""
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

    def listens(self, looked: Looked) -> bool:
        """For words in pictures and recordings."""
        return bool(self._words_for(looked)) and self.extracting.listens(looked)

    async def look(self, looked: Looked) -> Outcome:
        """Refuses a file that matches."""
        rules = rules_of(self._words_for(looked))
        asked = {"carried": ["active"] if self.active else [], "rules": rules}
        found = await matches(self.room, looked, asked, self.seconds)
        active = [reason for rule, reason in found.items() if rule in self.active]
        words = [reason for rule, reason in found.items() if rule.startswith("word_")]
        if active:
            return _refused(active)
        if not rules:
            return Outcome(PASSED)
        unread = list[str]()
        words = words or await self._in_text(looked, rules, unread)
        words = words or await self._in_packed(looked, rules, unread)
        if words:
            return _refused(words)
        if not unread:
            return Outcome(PASSED)
        if self.allow_unread:
            return Outcome(PARTIAL, f"words may stand in what was not read: {told(unread)}")
        return Outcome(
            REFUSED,
            f"words are looked for here, and not all of its text can be read: {told(unread)}",
        )

    def _words_for(self, looked: Looked) -> list[WordRule]:
        return [rule for rule in self.words if rule.holds_for(looked.tenant_id)]

    def _reads(self, looked: Looked) -> bool:
        """Mails are read with what is attached to them, as archives are."""
        kind = looked.file.content_type
        return self.extracting.reads(kind) and kind not in MAIL

    async def _in_text(self, looked: Looked, rules: str, unread: list[str]) -> list[str]:
        text = looked.file.name
        if self._reads(looked):
            try:
                found = await self.extracting.of(looked)
            except JobFailed as failed:
                if failed.why is Why.ROOM:
                    raise
                unread.append(failed.sentence)
            else:
                unread += found.left_out
                text = "\n".join([text, *(segment.text for segment in found.segments)])
        source = BytesSource(await asyncio.to_thread(text.encode))
        bounds = limits(self.seconds, source.size)
        request = json.dumps({"rules": rules}).encode()
        job = self.room.run(f"{READING}.scanning:scan", source, request, bounds)
        return [json.loads(piece)["reason"] for piece in [piece async for piece in job]]

    async def _in_packed(self, looked: Looked, rules: str, unread: list[str]) -> list[str]:
        is_read = self._reads(looked)
        found = await looked_into(
            self.room, looked, self.bounds, self.seconds, words=rules, is_read=is_read
        )
        if found["refused"]:
            unread.append(found["refused"])
        if found["unread"]:
            names = ", ".join(name[:60] or "without a name" for name in found["unread"])
            unread.append(f"there is no reader for what it holds: {names}")
        if not is_read and not found["kinds"] and looked.file.size_bytes:
            unread.append(f"there is no reader for files of type {looked.file.content_type}")
        words: list[str] = found["words"]
        return words


def _refused(reasons: Sequence[str]) -> Outcome:
    return Outcome(REFUSED, f"not allowed here: {'; '.join(reasons)}"[:900])
