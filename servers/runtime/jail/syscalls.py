"""The system calls that a jail lets through: an allow-list, everything else fails with EPERM."""

import errno
import os
from typing import Any

from servers.runtime.jail.errors import NoJail

READING = """
    read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 open openat openat2
    close close_range stat fstat lstat newfstatat statx statfs fstatfs lseek access faccessat
    faccessat2 readlink readlinkat getdents64 getcwd chdir fchdir fadvise64 readahead fcntl flock
    dup dup2 dup3 pipe pipe2 select pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl
    epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 timerfd_create timerfd_settime
    timerfd_gettime sendfile copy_file_range splice tee umask
"""
WRITING = """
    rename renameat renameat2 mkdir mkdirat rmdir unlink unlinkat link linkat symlink symlinkat
    chmod fchmod fchmodat fchmodat2 utime utimes utimensat futimesat truncate ftruncate fallocate
    fsync fdatasync sync_file_range msync
"""
ITSELF = """
    mmap mprotect munmap mremap madvise mincore brk membarrier exit exit_group restart_syscall
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait
    rt_sigqueueinfo rt_tgsigqueueinfo sigaltstack signalfd signalfd4 pause alarm getitimer setitimer
    timer_create timer_settime timer_gettime timer_getoverrun timer_delete kill tgkill tkill
    getpid getppid gettid getpgid getpgrp getsid setsid setpgid getuid geteuid getgid getegid
    getresuid getresgid getgroups capget futex futex_waitv set_robust_list get_robust_list
    set_tid_address rseq sched_yield sched_getaffinity sched_getparam sched_getscheduler
    sched_get_priority_max sched_get_priority_min getpriority setpriority gettimeofday clock_gettime
    clock_getres clock_nanosleep nanosleep time times getrusage getrlimit setrlimit prlimit64
    sysinfo uname getrandom getcpu arch_prctl
"""
PROCESSES = "fork vfork execve wait4 waitid pidfd_open pidfd_send_signal"
PAIRS = "sendto recvfrom sendmsg recvmsg shutdown getsockopt setsockopt getsockname getpeername"
NETWORK = "socket connect bind listen accept accept4 sendmmsg recvmmsg"

NAMESPACES = 0x7E020080
"""CLONE_NEW*: those of mounts, cgroups, names, ipc, users, processes, network and time."""
PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_DUMPABLE = 15, 16, 3, 4
PR_SET_NO_NEW_PRIVS, PR_SET_VMA, PR_SET_PDEATHSIG, PR_CAPBSET_READ = 38, 0x53564D41, 1, 23
OWN_STATE = (
    *(PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS),
    *(PR_SET_VMA, PR_SET_PDEATHSIG, PR_CAPBSET_READ),
)
TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX = (
    *(0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451),
)
HARMLESS_IOCTLS = (TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX)
AF_UNIX = 1


def allow_list(*, network: bool = False) -> bytes:
    """The allow-list as a program for seccomp. NoJail if this machine cannot make one. Processes
    and threads are let through, and bounded by their number; sockets only with `network`, which
    is the jail's own, but for pairs that lead nowhere."""
    seccomp = _library()
    filter_ = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    names = " ".join((READING, WRITING, ITSELF, PROCESSES, PAIRS, NETWORK if network else ""))
    for name in names.split():
        _add(filter_, seccomp, seccomp.ALLOW, name)
    masked = seccomp.Arg(0, seccomp.MASKED_EQ, NAMESPACES, 0)
    _add(filter_, seccomp, seccomp.ALLOW, "clone", masked)
    # Its flags are in memory, where a filter cannot look: the C library falls back to clone.
    _add(filter_, seccomp, seccomp.ERRNO(errno.ENOSYS), "clone3")
    for option in OWN_STATE:
        _add(filter_, seccomp, seccomp.ALLOW, "prctl", seccomp.Arg(0, seccomp.EQ, option))
    for request in HARMLESS_IOCTLS:
        _add(filter_, seccomp, seccomp.ALLOW, "ioctl", seccomp.Arg(1, seccomp.EQ, request))
    pair = seccomp.Arg(0, seccomp.EQ, AF_UNIX)
    _add(filter_, seccomp, seccomp.ALLOW, "socketpair", pair)
    return _exported(filter_)


def _library() -> Any:
    try:
        import pyseccomp  # loads libseccomp, which not every machine has
    except (ImportError, OSError, RuntimeError) as error:
        raise NoJail(
            f"libseccomp cannot be loaded ({error}): install it (Debian: libseccomp2)"
        ) from error
    return pyseccomp


def _add(filter_: Any, seccomp: Any, action: int, name: str, *arguments: object) -> None:
    """Adds a rule, unless this machine's processor has no such call."""
    if seccomp.resolve_syscall(seccomp.system_arch(), name) < 0:
        return
    filter_.add_rule(action, name, *arguments)


def _exported(filter_: Any) -> bytes:
    with os.fdopen(os.memfd_create("filter"), "w+b") as file:
        filter_.export_bpf(file)
        file.seek(0)
        return file.read()
