"""Lua in Redis: one command, whatever it does there, sent by its digest once Redis knows it."""

import hashlib
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError


class Script:
    """A script by its text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Redis, keys: Sequence[Any], arguments: Sequence[Any]) -> Any:
        """What the script gives. Errors of Redis are the caller's to catch."""
        words = (len(keys), *keys, *arguments)
        command: Any = client.execute_command
        try:
            return await command("EVALSHA", self._sha, *words)
        except NoScriptError:
            return await command("EVAL", self._text, *words)
