"""What a jail is, as a command line of bubblewrap. Pure.

Order matters to bubblewrap: folders are mounted as they are named, and the root is made read-only
after everything else is in its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from servers.runtime.jail.programs import Programs

NOBODY = 65534

SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")
SYSTEM_FILES = ("/etc/ld.so.cache", "/usr/share/zoneinfo")
TRUSTED_ROOTS = (
    *("/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf"),
    *("/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/tls/openssl.cnf"),
    *("/etc/pki/ca-trust", "/usr/share/ca-certificates"),
)
"""Whom TLS trusts. By name: the folders that hold them hold the machine's own keys as well."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
PYTHON = "/python/bin/python3"
SCRATCH = "/box"
ISOLATED = ("-I", "-S", "-B", "-X", "utf8")

ALONE = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"),
    # A network of its own, with a loopback that leads to nothing else.
    "--unshare-net",
    *("--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "jail"),
    *("--die-with-parent", "--new-session", "--clearenv"),
)


@dataclass(frozen=True)
class Bind:
    """A file or folder of the machine as it is seen within. As root, jails run as NOBODY, who has
    to have the right to enter and read what is bound, and to write where it is `writable`."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Bounds:
    """Limits of each process, by the kernel. 0 leaves one as it is."""

    memory_bytes: int = 0
    """Address space (RLIMIT_AS)."""
    file_bytes: int = 0
    open_files: int = 256
    cpu_seconds: int = 0
    niceness: int = 10


@dataclass(frozen=True)
class Jail:
    """A jail. `scratch_bytes` is the room in SCRATCH, a folder in memory that is gone with it;
    `trusts` shows it whom the machine's TLS trusts: for programs that a relay listens to."""

    programs: Programs
    filter: bytes
    """The system calls, as a program for seccomp: what `syscalls` gives."""
    bounds: Bounds = Bounds()
    binds: tuple[Bind, ...] = ()
    hidden: tuple[str, ...] = ()
    """Folders within that are empty, whatever was mounted there."""
    scratch_bytes: int = 0
    trusts: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def with_python(programs: Programs) -> tuple[tuple[Bind, ...], tuple[str, ...]]:
    """The interpreter with its standard library alone: what to bind, and what to hide."""
    library = f"/python/lib/{Path(programs.library).name}"
    binds = [Bind(programs.python, PYTHON), Bind(programs.library, library)]
    binds += [Bind(each, f"/python/lib/{Path(each).name}") for each in programs.shared]
    return tuple(binds), tuple(f"{library}/{each}" for each in programs.hidden)


def command(
    jail: Jail, program: Sequence[str], entering: str, *, status: int | None = None
) -> list[str]:
    """The command line that runs a program in a jail. `entering` is the text of `enter`; `status`
    is a file descriptor on which bubblewrap tells the process id of the jail's first process."""
    limits = {
        "RLIMIT_AS": jail.bounds.memory_bytes,
        "RLIMIT_FSIZE": jail.bounds.file_bytes,
        "RLIMIT_NOFILE": jail.bounds.open_files,
        "RLIMIT_CPU": jail.bounds.cpu_seconds,
    }
    order = [str(jail.bounds.niceness), str(NOBODY), jail.filter.hex()]
    order += [f"{name}={most}" for name, most in limits.items() if most]
    order += ["--", jail.programs.bwrap, *_arguments(jail, status), "--", *program]
    return [jail.programs.starter, "-I", "-S", "-c", entering, *order]


def _arguments(jail: Jail, status: int | None) -> list[str]:
    arguments = [*ALONE]
    for path in SYSTEM_LIBRARIES + SYSTEM_FILES + (TRUSTED_ROOTS if jail.trusts else ()):
        arguments += _system(path)
    for device in DEVICES:
        arguments += ("--dev-bind", device, device)
    for bind in jail.binds:
        arguments += ("--bind" if bind.writable else "--ro-bind", bind.source, bind.target)
    for folder in jail.hidden:
        arguments += ("--tmpfs", folder, "--remount-ro", folder)
    if jail.scratch_bytes:
        arguments += ("--size", str(jail.scratch_bytes), "--tmpfs", SCRATCH)
        arguments += ("--symlink", f"{SCRATCH}/.tmp", "/tmp")  # noqa: S108  # that of the jail
        arguments += ("--chdir", SCRATCH)
    # After the last mount, or what bubblewrap made for them could be written to.
    arguments += ("--remount-ro", "/")
    for name, value in jail.environment.items():
        arguments += ("--setenv", name, value)
    return arguments if status is None else [*arguments, "--json-status-fd", str(status)]


def _system(path: str) -> tuple[str, ...]:
    """A part of the machine, if it has one: some have `/lib` as a link, some have none."""
    return ("--ro-bind-try", path, path)
