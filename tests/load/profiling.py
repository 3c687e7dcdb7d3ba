"""A flame graph of Kari under load, by py-spy, where it is installed."""

import asyncio
import shutil
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.load.usage import part_of
from tests.running import Kari

PER_SECOND = "200"
WRITING_SECONDS = 60


def require_profiler() -> str:
    """Where py-spy is; LookupError if it is not on PATH."""
    program = shutil.which("py-spy")
    if program is None:
        raise LookupError("PROFILE needs py-spy on PATH: pip install py-spy")
    return program


@asynccontextmanager
async def profiled(kari: Kari, file: str, seconds: float) -> AsyncIterator[None]:
    """Samples the busiest process of Kari's servers for so many seconds, from now on."""
    program = require_profiler()
    servers = [p for p in kari.processes() if part_of(p.cmdline()) == "kari"]
    busiest = max(servers, key=lambda process: process.cpu_times().user)
    words = ("record", "--pid", str(busiest.pid), "--output", file, "--rate", PER_SECOND)
    form = () if file.endswith(".svg") else ("--format", "raw")
    process = await asyncio.create_subprocess_exec(
        *(program, *words, *form, "--duration", str(max(int(seconds), 1))),
        stdin=DEVNULL,
        stdout=DEVNULL,
    )
    try:
        yield
        await asyncio.wait_for(process.wait(), WRITING_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
