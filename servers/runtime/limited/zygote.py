"""The zygote: a bare process with one thread that forks a job for each call.

Run as `python -m servers.runtime.limited.zygote FD MODULE... [-- FOLDER...]`; FD is its end of a
socket of packets; the folders may be read beside libraries. A packet that starts a job carries the
job's socket. Another one ends it: whatever is left of its process group is killed, and its status
told. Where no job can be made the socket is closed, and the others go on. Standard library only,
but for what it imports for its jobs.
"""

import gc
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module

from servers.runtime.limited.confinement import (
    confine,
    die_with_parent,
    limit,
    part_from_others,
)
from servers.runtime.limited.failures import NO_PROCESS
from servers.runtime.limited.job import serve

PACKET = 65_536


def main(fd: int, words: list[str]) -> None:
    """Serves until the other end is closed."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks
    control = socket.socket(fileno=fd)
    end = words.index("--") if "--" in words else len(words)
    # Modules are no garbage; looking through them again and again takes a tenth of the time.
    gc.disable()
    for module in words[:end]:
        import_module(module)
    gc.enable()
    confined = confine(words[end + 1 :])
    gc.collect()
    gc.freeze()
    jobs: dict[int, int] = {}
    control.send(json.dumps({"ready": confined}).encode())
    while True:
        packet, fds, _, _ = socket.recv_fds(control, PACKET, 1)
        if not packet:
            return
        told = json.loads(packet)
        if "function" in told:
            jobs[told["job"]] = _start(control, fds, told)
        else:
            control.send(json.dumps(_ended(told["job"], jobs.pop(told["job"]))).encode())


def _start(control: socket.socket, fds: list[int], told: dict[str, object]) -> int:
    """Number of the job's process; 0 if there is none."""
    if not fds:  # no more files may be open here
        return 0
    wire = socket.socket(fileno=fds[0])
    try:
        pid = os.fork()
    except OSError:  # no more processes, or no memory for one
        wire.close()
        return 0
    if pid:
        wire.close()
        return pid
    try:
        os.setsid()
        die_with_parent()
        control.close()
        part_from_others()
        os.nice(5)  # whoever waits for an answer comes first
        limit(int(str(told["cpu_seconds"])), int(str(told["memory_bytes"])))
        serve(wire, str(told["function"]), int(str(told["size"])))
    finally:
        os._exit(0)


def _ended(job: int, pid: int) -> dict[str, int]:
    if not pid:
        return {"job": job, "signal": NO_PROCESS}
    # It is not waited for before: until then no other process can have its number.
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return {"job": job, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
