"""`python -m tests.code_execution.as_nobody FOLDER`: runs hostile programs as an ordinary user,
and prints what happened that must not. Started by root, it becomes nobody first, when everything
that it imports is there: nobody cannot enter every folder in which a virtual environment lives."""

import asyncio
import ctypes
import os
import sys
from dataclasses import replace
from pathlib import Path

from servers.code_execution.jails import Machine
from servers.code_execution.self_test import prove
from tests.code_execution.holding import CASES, CPYTHON, LIMITS, MONTY, prison
from tests.code_execution.hostile import known_here

NOBODY = 65534
PR_SET_DUMPABLE = 4


async def main(machine: Machine, folder: Path) -> int:
    """Runs them; the number of what went wrong."""
    wrong = list[str]()
    async with prison(machine, folder, warm=3) as here:
        for runner in here.runners.values():
            await prove(runner, LIMITS, Path("/root"))
        known = [(kind, hostile) for kind, hostile in CASES if known_here(hostile)]
        for held in here.holding(known).values():
            wrong += await held
    sys.stdout.write("\n".join(wrong) or f"{len(known)} held\n")
    return len(wrong)


if __name__ == "__main__":
    found = Machine.found((MONTY, CPYTHON))
    if os.geteuid() == 0:
        # Outside of the jail, too, nobody needs an interpreter that it can reach.
        found = replace(found, programs=replace(found.programs, starter=found.programs.python))
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)
        os.environ["LD_LIBRARY_PATH"] = str(Path(found.programs.library).parent)
    sys.exit(min(1, asyncio.run(main(found, Path(sys.argv[1])))))
