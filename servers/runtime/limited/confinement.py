"""What keeps a job in its place: limits, and rules of the kernel where it has them.

The limits hold everywhere. Landlock (Linux 5.13; for TCP 6.7) and seccomp are taken where they are
to be had: a job then reads nothing but libraries, writes nothing, opens no socket, starts no
program.
"""

import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_THREAD = 0x10000
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_TCP = (1 << 0) | (1 << 1)
_SCOPED = (1 << 0) | (1 << 1)
"""Abstract sockets and signals reach nobody outside; since version 6."""
# Rights over files that each version of Landlock knows, as a mask.
_KNOWN = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}
READABLE = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/urandom", "/proc")

CODE = ("servers", "gen", "tests")

FORBIDDEN = (
    *("socket", "connect", "bind", "listen", "execve", "execveat", "ptrace"),
    *("process_vm_readv", "process_vm_writev", "mount", "umount2", "unshare", "setns", "bpf"),
    *("keyctl", "add_key", "request_key", "io_uring_setup", "perf_event_open", "userfaultfd"),
    *("kexec_load", "init_module", "finit_module", "delete_module", "pivot_root", "chroot"),
)

_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Has the kernel kill this process when the one that made it is gone."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def limit(cpu_seconds: int, memory_bytes: int) -> None:
    """Sets the limits of a job: its memory beyond what it has now."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    # The soft limit sends a signal that says why; the hard one kills.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    for which, most in (
        (resource.RLIMIT_AS, used + memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(which, (most, most))


def confine(readable: Sequence[str] = ()) -> list[str]:
    """Takes the kernel's rules that are to be had, for this process and all its jobs; their
    names. The folders may be read beside libraries."""
    _LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    taken = (("seccomp", _seccomp()), ("landlock", _landlock(readable)))
    return [name for name, is_taken in taken if is_taken]


def part_from_others() -> None:
    """Has a job reach no process but its own with signals, and make none, where the kernel can see
    to that: one in a session of its own would outlive all others. The zygote has to reach its jobs
    and to make them, so this is for each of them."""
    _seccomp_processes()
    if _LIBC.syscall(_CREATE_RULESET, None, 0, 1) >= 6:
        attributes = struct.pack("QQQ", 0, 0, _SCOPED)
        ruleset = _LIBC.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
        _LIBC.syscall(_RESTRICT_SELF, ruleset, 0)
        os.close(ruleset)


def _landlock(readable: Sequence[str]) -> bool:
    version = _LIBC.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    words = [_KNOWN.get(version, _KNOWN[5])]
    words += [_TCP] if version >= 4 else []
    words += [_SCOPED] if version >= 6 else []
    attributes = struct.pack(f"{len(words)}Q", *words)
    ruleset = _LIBC.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    for path in {*readable, *READABLE, sys.prefix, sys.base_prefix, *_library_folders()}:
        _allow_reading(ruleset, path)
    taken: bool = _LIBC.syscall(_RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return taken


def _library_folders() -> list[str]:
    """Where modules come from. Of the project's own folder the code alone: the data folder, with
    its keys, may lie in it."""
    project = Path(__file__).resolve().parents[3]
    found = [path for path in sys.path if path and Path(path).is_dir()]
    if not (project / "pyproject.toml").exists():  # installed: it is a folder of libraries
        return found
    code = [str(project / name) for name in CODE if (project / name).is_dir()]
    return [path for path in found if Path(path).resolve() != project] + code


def _allow_reading(ruleset: int, path: str) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rights = _READ_FILE | (_READ_DIR if Path(path).is_dir() else 0)
    _LIBC.syscall(_ADD_RULE, ruleset, _BENEATH, struct.pack("=Qi", rights, fd), 0)
    os.close(fd)


def _seccomp() -> bool:
    seccomp = _library()
    if seccomp is None:
        return False
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in FORBIDDEN:
        _forbid(rules, name)
    _forbid(rules, "prlimit64", seccomp.Arg(0, seccomp.NE, 0))  # limits of other processes
    rules.load()
    return True


def _seccomp_processes() -> None:
    seccomp = _library()
    if seccomp is None:
        return
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in ("kill", "tkill", "pidfd_send_signal"):
        _forbid(rules, name)
    # To itself, as abort() does.
    _forbid(rules, "tgkill", seccomp.Arg(0, seccomp.NE, os.getpid()))
    for name in ("fork", "vfork"):
        _forbid(rules, name)
    # Threads may be made. What clone3 is asked for lies in memory, where no rule can look:
    # libraries take clone where there is none.
    _forbid(rules, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _CLONE_THREAD, 0))
    _forbid(rules, "clone3", number=errno.ENOSYS)
    rules.load()


def _forbid(rules: Any, name: str, *arguments: Any, number: int = errno.EPERM) -> None:
    seccomp = _library()
    with suppress(OSError, RuntimeError, ValueError):  # a name that this machine does not have
        rules.add_rule(seccomp.ERRNO(number), name, *arguments)


@cache
def _library() -> Any:
    try:
        import pyseccomp  # loads libseccomp, which not every machine has
    except (ImportError, OSError, RuntimeError):
        return None
    return pyseccomp
