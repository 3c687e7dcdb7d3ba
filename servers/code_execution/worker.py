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

    def __init__(self) -> None:
        self.output = Output(MOST_SAID)
        self.overflow = asyncio.Event()
        self.jailed: Jailed
        self._report: asyncio.StreamReader

    @classmethod
    async def start(
        cls, starter: Starter, jail: Jail, script: str, *, memory_files: int = 0
    ) -> "Worker":
        """Starts one, with so many files in memory beside its report; NoJail with what bubblewrap
        or Python said if it does not come up."""
        worker = cls()
        read, write = os.pipe()
        further = (write, *(os.memfd_create("worker") for _ in range(memory_files)))
        program = [PYTHON, *ISOLATED, "-c", script, *map(str, further)]
        pipe = os.fdopen(read, "rb", 0)
        try:
            worker.jailed = await starter.start(jail, program, further=further, taking=worker._take)
        except BaseException:
            pipe.close()
            raise
        finally:
            for descriptor in further:
                os.close(descriptor)
        try:
            worker._report = await worker.jailed.reader(pipe)
            await worker._ready()
        except BaseException:
            await worker.close()
            raise
        return worker

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

    async def give(self, job: bytes, output: Output) -> None:
        """Gives it its job; what it prints goes to `output`. A worker that has died says so by its
        missing report."""
        self.output = output
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

    async def printed(self) -> None:
        """Returns when all that was printed so far is in `output`, or it is too much."""
        # What is in a pipe is known to the kernel alone.
        while not self.overflow.is_set() and self.jailed.unread():  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    def _take(self, stream: str, part: bytes) -> None:
        self.output.add(stream, part)
        if self.output.truncated:
            self.overflow.set()

    async def _ready(self) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                if await self._report.read(1) == READY:
                    return
                await self.printed()
                said = self.output.text("stderr").strip()
        except TimeoutError:
            said = f"it was not ready within {START_SECONDS:g} s"
        raise NoJail(explained(said))


def explained(said: str) -> str:
    """Why a worker does not start, by what bubblewrap or Python said, with the way out."""
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
