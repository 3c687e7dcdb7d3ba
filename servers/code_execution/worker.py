"""One worker in its jail: warm until it gets its one program."""

import asyncio
import os

from servers.code_execution.output import Output
from servers.code_execution.report import LARGEST_REPORT
from servers.code_execution.within.frames import READY
from servers.runtime.jail.command import ISOLATED, PYTHON, Jail
from servers.runtime.jail.errors import NoJail
from servers.runtime.jail.starting import Jailed, Starter

START_SECONDS = 10.0
PART_BYTES = 65_536
MOST_SAID = 500


class Worker:
    """A worker that is ready."""

    def __init__(self, jailed: Jailed, report: asyncio.StreamReader) -> None:
        self.jailed = jailed
        self._report = report

    @classmethod
    async def start(cls, starter: Starter, jail: Jail, script: str) -> "Worker":
        """Starts one; NoJail with what bubblewrap or Python said if it does not come up."""
        read, write = os.pipe()
        program = [PYTHON, *ISOLATED, "-c", script, str(write)]
        pipe = os.fdopen(read, "rb", 0)
        try:
            jailed = await starter.start(jail, program, further=(write,))
        except BaseException:
            pipe.close()
            raise
        finally:
            os.close(write)
        try:
            report = await jailed.reader(pipe)
            await _ready(jailed, report)
        except BaseException:
            await jailed.close()
            raise
        return cls(jailed, report)

    @property
    def alive(self) -> bool:
        """Whether it still waits for its program."""
        return not self.jailed.ended

    async def wait(self) -> None:
        """Returns when it has ended."""
        await self.jailed.wait()

    async def close(self) -> None:
        """Ends it, with everything that its program started."""
        await self.jailed.close()

    async def give(self, job: bytes) -> None:
        """Gives it its job. A worker that has died says so by its missing report."""
        try:
            self.jailed.stdin.write(job)
            await self.jailed.stdin.drain()
            self.jailed.stdin.close()
        except (BrokenPipeError, ConnectionResetError):
            return

    async def report(self) -> bytes | None:
        """Its report; None if it died without one, or wrote what no worker writes."""
        try:
            length = int.from_bytes(await self._report.readexactly(4), "big")
            if length > LARGEST_REPORT:
                return None
            return await self._report.readexactly(length)
        except asyncio.IncompleteReadError:
            return None

    async def print_to(self, output: Output) -> bool:
        """Takes in what is printed, until both streams have ended (True) or it is too much (False);
        then nothing more is read."""
        tasks = {
            asyncio.create_task(_taken(output, "stdout", self.jailed.stdout)),
            asyncio.create_task(_taken(output, "stderr", self.jailed.stderr)),
        }
        try:
            while tasks:
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if not all(task.result() for task in done):
                    return False
            return True
        finally:
            for task in tasks:
                task.cancel()


async def _taken(output: Output, name: str, stream: asyncio.StreamReader) -> bool:
    while part := await stream.read(PART_BYTES):
        if not output.add(name, part):
            return False
    return True


async def _ready(jailed: Jailed, report: asyncio.StreamReader) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            if await report.read(1) == READY:
                return
            said = (await jailed.stderr.read(4096)).decode(errors="replace").strip()
    except TimeoutError:
        said = f"it was not ready within {START_SECONDS:g} s"
    raise NoJail(_explained(said[-MOST_SAID:]))


def _explained(said: str) -> str:
    if "setting up uid map" in said or "No permissions to create" in said or "namespace" in said:
        return (
            f"no user namespaces for this user ({said}): allow them (sysctl "
            "kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, "
            "user.max_user_namespaces above 0; in a container, a seccomp profile that lets unshare "
            "through)"
        )
    if "seccomp" in said.lower() or "PR_SET_SECCOMP" in said:
        return (
            f"this kernel does not filter system calls ({said}): use one with CONFIG_SECCOMP_FILTER"
        )
    return f"a worker does not start: {said or 'it ended without a word'}"
