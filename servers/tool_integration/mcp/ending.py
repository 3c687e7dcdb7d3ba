"""Why a connection to an MCP server ended."""

import asyncio
from dataclasses import dataclass, field


@dataclass
class Ending:
    """The end of a connection. `how` is a word for metrics, `why` the rest of "the server ..." for
    people, `detail` for the log alone: it may be the server's own text."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    how: str = ""
    why: str = ""
    detail: str = ""
    _leaving: bool = False

    def tell(self, how: str, why: str, detail: str = "") -> None:
        """The transport saw the end; the first cause is the one that counts. What it sees after we
        have begun to leave is our own doing."""
        if not self.why and not self._leaving:
            self.how, self.why, self.detail = how, why, detail
        self.over.set()

    def leave(self) -> None:
        """We end it ourselves."""
        self._leaving = True

    def conclude(self, how: str, why: str, detail: str = "") -> None:
        """Says why it ended, unless the transport saw that."""
        self._leaving = False
        self.tell(how, why, detail)
