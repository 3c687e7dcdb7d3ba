"""SQL kept in SQL files: named blocks that Python asks for by name. Pure but for the reading."""

import re
from pathlib import Path
from typing import Any, Protocol

_BLOCK = re.compile(r"^-- name: (\w+)[^\n]*\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


class Row(Protocol):
    """A row of a result: values by the name of their column. For modules that know no driver."""

    def __getitem__(self, column: str, /) -> Any:
        """The value of a column."""


class Queries:
    """The blocks of one file, as attributes: `queries.begin_turn`."""

    def __init__(self, file: Path) -> None:
        self._blocks: dict[str, str] = {
            name: body.strip().rstrip(";") for name, body in _BLOCK.findall(file.read_text())
        }

    def __getattr__(self, name: str) -> str:
        try:
            return self._blocks[name]
        except KeyError:
            raise AttributeError(f"no query named {name}") from None
