"""Capsules from outside the tree: each run in a process of its own, in a jail.

No network and no files but the capsule's own folder, read only; if its policy says so, a relay to
public addresses and a folder in memory. Bounded memory and processes; ends with the run, and with
the server.
"""

import asyncio
import compileall
import hashlib
import os
import shutil
import socket
import tempfile
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

import jinja2
import markupsafe
import structlog

from servers.capsules import prompts, skill, worker
from servers.capsules.folder import write_folder
from servers.capsules.manifest import HANDLER
from servers.capsules.recording import ADDRESS
from servers.capsules.run import Deny
from servers.capsules.skill import Skill, SkillError
from servers.capsules.talking import Talk
from servers.capsules.version import Handler, HandlerFailed, Version, templates_of
from servers.runtime.jail.command import ISOLATED, PYTHON, Bind, Bounds, Jail, with_python
from servers.runtime.jail.errors import NoJail, told_as_unavailable
from servers.runtime.jail.programs import find_programs
from servers.runtime.jail.relay import Relay
from servers.runtime.jail.starting import Jailed, Starter, listening, within
from servers.runtime.jail.syscalls import allow_list
from servers.runtime.lookup import Lookup, Refusal, looked_up
from servers.runtime.public_addresses import refusal

CHECK_SECONDS = 30.0
"""Of a busy machine; most take a tenth of a second."""
MEMORY_BYTES = 268_435_456
PROCESSES = 4
"""Processes and threads: what asyncio's own threads need, and no room for a fork bomb."""
SCRATCH_BYTES = 67_108_864
FILE_BYTES = 67_108_864
MOST_LOGGED = 16_384
MOST_PRINTED = 10_000_000
PREFIX = "kari-capsules-"
LIBRARY = "library"
WORKER = (PYTHON, *ISOLATED, f"{worker.LIBRARY}/servers/capsules/worker.py")

log = structlog.get_logger("kari.capsules")


class Outside:
    """What runs capsules from outside: the jail, and a folder of what jails may read. `close` ends
    what still runs and removes the folder."""

    def __init__(self, lookup: Lookup = looked_up, refuses: Refusal = refusal) -> None:
        """`lookup` and `refuses` are those of the relay; tests alone give others."""
        self._lookup, self._refuses = lookup, refuses
        self._folder: Path | None = None
        self._jail: Jail | None = None
        self._starter = Starter()
        self._made = 0
        self._lock = asyncio.Lock()

    def handler(self, _name: str, version: Version) -> Handler:
        """What runs a version."""
        return OutsideHandler(self, version)

    async def place(self, version: Version) -> Path:
        """A new folder with the files of a version, just as they were checked. NoJail if there can
        be no jail here, OSError if the disk is full."""
        folder = await self._ready()
        self._made += 1
        place = folder / str(self._made)
        await asyncio.to_thread(_written, place, write_folder, version.files, place)
        return place

    @asynccontextmanager
    async def process(
        self, place: Path, version: Version, seconds: float, deny: Deny | None = None
    ) -> AsyncIterator[Jailed]:
        """A worker for the version whose files are there; it has ended when this has. If its policy
        allows the network, a relay takes it to public addresses and tells `deny` of others; without
        `deny` there is no relay."""
        await self._ready()
        jail = self._jail_of(place, version, seconds)
        if deny is None or not version.manifest.security_policy.allow_network_access:
            async with self._worker(jail, version, WORKER) as jailed:
                yield jailed
            return
        relay = Relay(partial(deny, ADDRESS), self._lookup, self._refuses)
        async with AsyncExitStack() as around:
            ours, theirs = map(around.enter_context, socket.socketpair())
            line = theirs.fileno()
            working = self._worker(jail, version, listening(line, WORKER), (line,))
            jailed = await around.enter_async_context(working)
            # The end of the jail's is the end of the line then.
            theirs.close()
            await around.enter_async_context(relay.serving(ours))
            yield jailed

    @asynccontextmanager
    async def _worker(
        self, jail: Jail, version: Version, program: Sequence[str], further: Sequence[int] = ()
    ) -> AsyncIterator[Jailed]:
        jailed = await self._starter.start(jail, within(PROCESSES, program), further=further)
        printing = asyncio.create_task(_log_printed(jailed, version.manifest.id))
        try:
            yield jailed
        finally:
            await jailed.close()
            printing.cancel()
            await asyncio.wait({printing})

    def _jail_of(self, place: Path, version: Version, seconds: float) -> Jail:
        assert self._jail is not None  # noqa: S101  # `_ready` has made it
        policy = version.manifest.security_policy
        return replace(
            self._jail,
            filter=allow_list(network=policy.allow_network_access),
            trusts=policy.allow_network_access,
            binds=(*self._jail.binds, Bind(str(place), worker.CAPSULE)),
            bounds=replace(self._jail.bounds, cpu_seconds=int(seconds) + 2),
            scratch_bytes=SCRATCH_BYTES if policy.allow_file_system_access else 0,
        )

    async def close(self) -> None:
        """Ends all of it."""
        self._starter.close()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _ready(self) -> Path:
        async with self._lock:
            if self._folder is not None and _is_whole(self._folder):
                return self._folder
            self._jail, folder = await asyncio.to_thread(_made)
            self._folder = folder
            return folder


class OutsideHandler:
    """Runs one version in processes of its own."""

    def __init__(self, outside: Outside, version: Version) -> None:
        self._outside = outside
        self._version = version
        self._place: Path | None = None

    async def run(self, skill: Skill, seconds: float, deny: Deny) -> Any:
        """Starts a process and does what it asks for until it is done."""
        version = self._version
        order = {
            "input": skill.input,
            "state": skill.state,
            "conversation_id": skill.conversation_id,
            "prompts": templates_of(version.manifest, version.files),
        }
        async with AsyncExitStack() as around:
            with told_as_unavailable():
                process = self._outside.process(await self._placed(), version, seconds, deny)
                jailed = await around.enter_async_context(process)
            return await Talk(jailed, skill).result(order)

    async def check(self) -> str:
        """Imports the handler and compiles the prompts, in their jail."""
        version = self._version
        order = {"check": True, "prompts": templates_of(version.manifest, version.files)}
        try:
            place = await self._placed()
            async with asyncio.timeout(CHECK_SECONDS):
                async with self._outside.process(place, version, CHECK_SECONDS) as jailed:
                    await Talk(jailed, None).result(order)
        except NoJail as error:
            return f"capsules from outside cannot be run here: {error}"
        except HandlerFailed as error:
            return str(error)
        except SkillError as error:
            return f"handler.py: importing it ended with {error.reason[:100]}"
        except TimeoutError:
            return f"importing handler.py and compiling prompts took over {CHECK_SECONDS:g} s"
        except OSError as error:
            log.error("a capsule cannot be looked at", exc_info=error)
            return f"its process cannot be started: {error.strerror}"
        return ""

    async def _placed(self) -> Path:
        # Folders for temporary files are tidied up, under a server that runs for weeks as well.
        if self._place is None or not (self._place / HANDLER).exists():
            self._place = await self._outside.place(self._version)
            # A version that was replaced goes when its last run has ended.
            weakref.finalize(self, shutil.rmtree, self._place, ignore_errors=True)
        return self._place


def _is_whole(folder: Path) -> bool:
    """Whether what jails read is still there, as far as can be told at a glance."""
    library = folder / LIBRARY
    return all((library / each).exists() for each in ("servers/capsules/worker.py", "jinja2"))


def _made() -> tuple[Jail, Path]:
    """The jail of all capsules, and a new folder that has what they may read."""
    programs = find_programs()
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    library = folder / LIBRARY
    _written(folder, _write_library, library)
    binds, hidden = with_python(programs)
    jail = Jail(
        programs,
        allow_list(),
        Bounds(memory_bytes=MEMORY_BYTES, file_bytes=FILE_BYTES),
        (*binds, Bind(str(library), worker.LIBRARY)),
        hidden,
        # The interpreter's own library, before one that the machine may have beside it.
        environment={"LD_LIBRARY_PATH": "/python/lib"},
    )
    return jail, folder


def _written(folder: Path, write: Callable[..., None], *what: Any) -> None:
    """Writes to a folder; of what could not be written to its end nothing is left."""
    try:
        write(*what)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _write_library(library: Path) -> None:
    """The worker, what it needs of Kari, and Jinja2."""
    library.parent.chmod(0o755)
    here = library / "servers" / "capsules"
    here.mkdir(parents=True)
    for module in (skill, prompts, worker):
        source = Path(str(module.__file__))
        shutil.copy(source, here / source.name)
    for folder in (here, here.parent):
        (folder / "__init__.py").write_text("")
    for package in (jinja2, markupsafe):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, library / source.name)
    compileall.compile_dir(library, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    for path in (library, *library.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _sweep() -> None:
    """Removes what processes left that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        number = folder.name.removeprefix(PREFIX).partition("-")[0]
        if number.isdigit() and not Path(f"/proc/{number}").exists():
            shutil.rmtree(folder, ignore_errors=True)


async def _log_printed(jailed: Jailed, capsule_id: str) -> None:
    """Logs that a capsule printed something, and how much; one that does not stop is ended. What it
    printed may be what a user wrote: its beginning is logged for who debugs alone."""
    printed, total, digest = b"", 0, hashlib.sha256()
    with suppress(asyncio.CancelledError):
        while chunk := await jailed.stderr.read(65_536):
            total += len(chunk)
            digest.update(chunk)
            printed += chunk[: MOST_LOGGED - len(printed)]
            if total > MOST_PRINTED:
                log.warning("a capsule prints without end", capsule=capsule_id)
                jailed.kill()
                break
    if total:
        told = {"capsule": capsule_id, "bytes": total, "sha256": digest.hexdigest()}
        log.info("a capsule printed", **told)
        log.debug("what a capsule printed", text=printed.decode(errors="replace"), **told)
