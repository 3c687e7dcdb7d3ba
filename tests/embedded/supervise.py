"""Supervises one Python program: `python supervise.py LOGS CODE`. Prints its pid when it is up."""

import asyncio
import sys
from pathlib import Path

from embedded.program import Program
from embedded.supervisor import Supervisor
from tests.embedded.processes import printed, until


async def supervise(logs: Path, code: str) -> None:
    async with Supervisor(logs, print, stop_seconds=1) as supervisor:
        await supervisor.start(Program("program", (sys.executable, "-c", code), {}))
        await until(printed(logs / "program.log", "up"))
        print(supervisor.pid("program"), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(supervise(Path(sys.argv[1]), sys.argv[2]))
