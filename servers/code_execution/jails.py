"""The jails of the two runners, and their workers."""

import importlib.util
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from kari.code_execution.v1.code_execution_pb2 import Runner
from servers.code_execution.bundle import bundled
from servers.code_execution.policy import Policy
from servers.code_execution.runner import JailedRunner
from servers.code_execution.warm import WarmWorkers
from servers.code_execution.within.monty import BINARY, PACKAGES
from servers.code_execution.worker import Worker
from servers.runtime.jail.command import Bind, Bounds, Jail, with_python
from servers.runtime.jail.errors import NoJail
from servers.runtime.jail.programs import Programs, find_programs
from servers.runtime.jail.starting import Starter
from servers.runtime.jail.syscalls import allow_list

SCRATCH_BYTES = 16_000_000
CPYTHON_BYTES = 60_000_000
"""Memory that its worker takes for itself, the program's copy of it among it."""
MONTY_BYTES = 150_000_000
MONTY_ADDRESSES = 1_000_000_000
"""Address space of Monty's own: it maps more than it uses."""
LEAST_ADDRESSES = 128_000_000
SEPARATE_FUNCTIONS = "servers.code_execution.functions"
ENVIRONMENT = {
    "LD_LIBRARY_PATH": "/python/lib",
    "HOME": "/box",
    "TMPDIR": "/tmp",  # noqa: S108  # that of the jail
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True)
class Machine:
    """What jails are made with on this machine. Found once: it takes a moment."""

    programs: Programs
    filter: bytes

    @classmethod
    def found(cls, kinds: tuple[Runner.ValueType, ...]) -> "Machine":
        """NoJail, with the way out, if something is missing."""
        if sys.platform != "linux":
            raise NoJail("jails need Linux: namespaces and seccomp are its kernel's")
        extra = monty_files() if Runner.RUNNER_MONTY in kinds else ()
        return cls(find_programs(*extra), allow_list())


def cpython(machine: Machine, starter: Starter, policy: Policy, keep: int) -> JailedRunner:
    """The runner of CPython."""
    bounds = Bounds(
        memory_bytes=max(policy.limits.memory_bytes, LEAST_ADDRESSES),
        file_bytes=SCRATCH_BYTES,
        niceness=0,
    )
    jail = replace(_python_jail(machine, bounds), scratch_bytes=SCRATCH_BYTES)
    script = bundled("servers.code_execution.within.cpython")
    start = partial(Worker.start, starter, jail, script, memory_files=2)
    modules = None if policy.modules is None else sorted(policy.modules)
    workers = WarmWorkers("cpython", start, keep)
    return JailedRunner(Runner.RUNNER_CPYTHON, workers, {"modules": modules}, CPYTHON_BYTES)


def monty(machine: Machine, starter: Starter, policy: Policy, keep: int) -> JailedRunner:
    """The runner of Monty."""
    bounds = Bounds(memory_bytes=policy.limits.memory_bytes + MONTY_ADDRESSES, niceness=0)
    jail = _python_jail(machine, bounds)
    binary, *packages = machine.programs.extra
    binds = [Bind(binary, BINARY)]
    binds += [Bind(each, f"{PACKAGES}/{Path(each).name}") for each in packages]
    script = bundled("servers.code_execution.within.monty", SEPARATE_FUNCTIONS)
    start = partial(Worker.start, starter, replace(jail, binds=(*jail.binds, *binds)), script)
    functions = None if policy.functions is None else sorted(policy.functions)
    workers = WarmWorkers("monty", start, keep)
    return JailedRunner(Runner.RUNNER_MONTY, workers, {"functions": functions}, MONTY_BYTES)


MAKERS: Mapping[Runner.ValueType, Callable[[Machine, Starter, Policy, int], JailedRunner]] = {
    Runner.RUNNER_MONTY: monty,
    Runner.RUNNER_CPYTHON: cpython,
}


def monty_files() -> tuple[Path, ...]:
    """Monty's program and the packages that drive it, which are found, never imported. NoJail if
    they are not installed."""
    program = Path(sysconfig.get_path("scripts")) / "monty"
    if not program.exists():
        program = Path(shutil.which("monty") or program)
    packages = [_package(name) for name in ("pydantic_monty", "typing_extensions")]
    if not program.exists() or None in packages:
        raise NoJail("Monty is missing: install Kari's requirements (pydantic-monty)")
    return (program.resolve(), *(each for each in packages if each is not None))


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin


def _python_jail(machine: Machine, bounds: Bounds) -> Jail:
    binds, hidden = with_python(machine.programs)
    return Jail(machine.programs, machine.filter, bounds, binds, hidden, environment=ENVIRONMENT)
