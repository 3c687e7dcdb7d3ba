"""A `kari` command in a terminal: a pseudo terminal with a test in the place of the person."""

import asyncio
import os
import pty
import re
import sys
import termios
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

from tests.running import ROOT, Kari

LINES, COLUMNS = 50, 200
WAIT_SECONDS = 20
# Colours, movements of the cursor, titles: what is between the words.
CONTROL = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>])")


class Terminal:
    """Types, and waits for what is shown."""

    def __init__(self, process: Process, descriptor: int) -> None:
        self._process = process
        self._descriptor = descriptor
        self._output = b""
        self._read_up_to = 0

    @classmethod
    @asynccontextmanager
    async def opened(cls, kari: Kari, *words: str) -> AsyncIterator[Self]:
        """Runs a `kari` command in a terminal; kills it at the end if it still runs."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (LINES, COLUMNS))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", *words),
            cwd=ROOT,
            # Nobody here answers where the cursor is.
            env={**kari.environment(), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        terminal = cls(process, ours)
        asyncio.get_running_loop().add_reader(ours, terminal._read)
        try:
            yield terminal
        finally:
            terminal._close()
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def type(self, text: str) -> None:
        """Presses keys: Enter is `\\r`, Ctrl-D is `\\x04`."""
        os.write(self._descriptor, text.encode())

    async def shows(self, text: str) -> None:
        """Waits until it shows the text, after what was waited for before."""
        end = time.monotonic() + WAIT_SECONDS
        while (found := self._text().find(text, self._read_up_to)) < 0:
            assert self._process.returncode is None, self._text()
            assert time.monotonic() < end, f"{text!r} is not in {self._text()!r}"
            await asyncio.sleep(0.02)
        self._read_up_to = found + len(text)

    async def exit_code(self) -> int:
        """Waits for the end of the command."""
        return await asyncio.wait_for(self._process.wait(), WAIT_SECONDS)

    def _text(self) -> str:
        return CONTROL.sub("", self._output.decode(errors="ignore"))

    def _read(self) -> None:
        # Linux says EIO when the last process has closed its side.
        try:
            self._output += os.read(self._descriptor, 65536)
        except OSError:
            asyncio.get_running_loop().remove_reader(self._descriptor)

    def _close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
