"""Forks programs off one process that has imported what they share:
`python -m embedded.forking MODULE:FUNCTION`.

Standard input is a socket. Each message on it holds the words of a program, as JSON, and the
descriptor of its log; a process is forked that calls the function with them and ends with the
status it gives. Answers are JSON too: `{"pid": 7}`, `{"error": "..."}`, and later
`{"pid": 7, "status": -9}` for one that ended.

The process stays fit to be forked: one thread, no event loop, nothing of gRPC but its modules.
"""

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from embedded.tether import die_with

PR_SET_NAME = 15
MOST_BYTES = 4096


class Asked(NamedTuple):
    """A program that is to be forked: its words, and where it writes."""

    words: list[str]
    log: int


def main() -> None:
    """Ends when the other end of the socket is closed."""
    _take_name("fork_server")
    function = _function(sys.argv[1])
    # What is here stays: the collector would only write to pages that are shared.
    gc.collect()
    gc.freeze()
    sys.exit(function(_forked(socket.socket(fileno=os.dup(0)))))


def _function(name: str) -> Callable[[list[str]], int]:
    module, _, function = name.partition(":")
    # Thousands of modules and classes are no garbage; looking through them takes time.
    gc.disable()
    found: Callable[[list[str]], int] = getattr(import_module(module), function)
    gc.enable()
    return found


def _forked(wire: socket.socket) -> list[str]:
    """Serves the socket. Returns in the processes that were forked alone: the words of each."""
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waking)
    parent = os.getpid()
    while True:
        ready, _, _ = select.select([wire.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, MOST_BYTES)
            _tell_who_ended(wire)
        if wire.fileno() in ready:
            asked = _next(wire)
            if _fork(wire, asked):
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for descriptor in (woken, waking):
                    os.close(descriptor)
                wire.close()
                _settle(asked, parent)
                return asked.words


def _next(wire: socket.socket) -> Asked:
    said, descriptors, _, _ = socket.recv_fds(wire, MOST_BYTES, 1)
    if not said:
        sys.exit(0)
    return Asked(json.loads(said), descriptors[0])


def _fork(wire: socket.socket, asked: Asked) -> bool:
    """Whether this is the process that was forked."""
    try:
        pid = os.fork()
    except OSError as error:
        _say(wire, error=str(error))
    else:
        if pid == 0:
            return True
        _say(wire, pid=pid)
    os.close(asked.log)
    return False


def _settle(asked: Asked, parent: int) -> None:
    """Makes the process what one is that was started: a session, a name and a log of its own."""
    os.setsid()
    die_with(parent, signal.SIGKILL)
    _take_name(asked.words[0])
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor, place in ((nothing, 0), (asked.log, 1), (asked.log, 2)):
        os.dup2(descriptor, place)
    os.close(nothing)
    os.close(asked.log)


def _take_name(name: str) -> None:
    """What `top` and `ps -e` show; the kernel keeps 15 bytes."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())


def _tell_who_ended(wire: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _say(wire, pid=pid, status=os.waitstatus_to_exitcode(status))


def _say(wire: socket.socket, **what: Any) -> None:
    wire.send(json.dumps(what).encode())


if __name__ == "__main__":
    main()
