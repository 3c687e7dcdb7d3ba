"""Tries to break out of the jail. A program for CPython: the self-test runs it, with `port` and
`secret` set, and wants an empty object."""

# ruff: noqa: F821  # port, secret, processes and memory are set by the self-test
import ctypes
import mmap
import os
import socket
from collections.abc import Callable

port: int
secret: str
processes: int
memory: int

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, CLONE_NEWUSER, KEYCTL_READ_SESSION, PR_CAP_AMBIENT = 16, 0x10000000, 0, 47
SYS_KEYCTL, SYS_ADD_KEY, SYS_BPF, SYS_IO_URING = (
    (219, 217, 280, 425) if os.uname().machine == "aarch64" else (250, 248, 321, 425)
)


def connects() -> object:
    with socket.create_connection(("127.0.0.1", port), 0.5):
        return True


def reads(path: str) -> Callable[[], object]:
    def reading() -> object:
        with open(path, "rb") as file:
            return bool(file.read(1))

    return reading


def writes(path: str) -> Callable[[], object]:
    def writing() -> object:
        with open(path, "wb") as file:
            return bool(file.write(b"x"))

    return writing


def calls(number: int, *arguments: int) -> Callable[[], object]:
    return lambda: libc.syscall(number, *arguments) != -1


def sees_others() -> object:
    return any(os.path.exists(f"/proc/{pid}") for pid in range(1, 5)) or os.listdir("/proc")


def attaches() -> object:
    return libc.ptrace(PTRACE_ATTACH, os.getppid(), 0, 0) != -1


def forks_without_end() -> object:
    children = []
    try:
        for _ in range(processes + 8):
            child = os.fork()
            if child == 0:
                os.close(release)
                os.read(held, 1)
                os._exit(0)
            children.append(child)
    except OSError:
        return len(children) > processes
    finally:
        os.close(release)
        for child in children:
            os.waitpid(child, 0)
    return True


def takes_memory() -> object:
    with mmap.mmap(-1, 2 * memory) as taken:
        return len(taken)


def changes_root() -> object:
    os.chroot("/box")
    return True


def becomes_root() -> object:
    os.setuid(0)
    return True


def raises_limits() -> object:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return True


def has_secrets() -> object:
    # As the C library has it: Python has a copy.
    environment = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
    found, place = list[bytes](), 0
    while (entry := environment[place]) is not None:
        found, place = [*found, entry], place + 1
    return any(entry.startswith(b"KARI_") for entry in found)


held, release = os.pipe()
ATTEMPTS: "dict[str, Callable[[], object]]" = {
    "connect to the network": connects,
    "make a socket": lambda: bool(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    "read /etc/shadow": reads("/etc/shadow"),
    "read /etc/passwd": reads("/etc/passwd"),
    "read the data folder": lambda: os.listdir(secret),
    "read an environment": reads("/proc/self/environ"),
    "find settings in its environment": has_secrets,
    "write to the root": writes("/kari-was-here"),
    "write to the library": writes("/usr/lib/kari-was-here"),
    "write to shared memory": writes("/dev/shm/kari-was-here"),  # noqa: S108
    "see other processes": sees_others,
    "trace another process": attaches,
    "mount": lambda: libc.mount(b"none", b"/box", b"tmpfs", 0, None) == 0,
    "make a user namespace": lambda: libc.unshare(CLONE_NEWUSER) == 0,
    "change its root": changes_root,
    "become root": becomes_root,
    "read the session's keys": calls(SYS_KEYCTL, KEYCTL_READ_SESSION, 0, 0, 0),
    "load a program into the kernel": calls(SYS_BPF, 0, 0, 0),
    "make an io_uring": calls(SYS_IO_URING, 1, 0),
    "raise its limits": raises_limits,
    "take more memory than it may": takes_memory,
    "make more processes than it may": forks_without_end,
}


def attempt(way: "Callable[[], object]") -> bool:
    try:
        return bool(way())
    except (OSError, MemoryError, ValueError, OverflowError):
        return False


[name for name, way in ATTEMPTS.items() if attempt(way)]
