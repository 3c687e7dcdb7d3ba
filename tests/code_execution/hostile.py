"""Hostile programs, each with what must not happen.

A program ends in an expression that is true if it happened; `ended` are the outcomes that are right
for CPython, where something else than an end by itself is wanted. PORT is a listener on loopback,
CANARY a file outside of the jail. `seconds` is short for those that never end.
"""

import platform
from dataclasses import dataclass

from kari.code_execution.v1.code_execution_pb2 import RunOutcome

DONE = RunOutcome.RUN_OUTCOME_DONE
RAISED = RunOutcome.RUN_OUTCOME_RAISED
TIMED_OUT = RunOutcome.RUN_OUTCOME_TIMED_OUT
OUT_OF_MEMORY = RunOutcome.RUN_OUTCOME_OUT_OF_MEMORY
TOO_MUCH_OUTPUT = RunOutcome.RUN_OUTCOME_TOO_MUCH_OUTPUT
REFUSED = RunOutcome.RUN_OUTCOME_REFUSED
KILLED = RunOutcome.RUN_OUTCOME_KILLED
ENDLESS = 0.4


@dataclass(frozen=True)
class Hostile:
    """A program and what must not happen."""

    name: str
    must_not: str
    code: str
    ended: tuple[RunOutcome.ValueType, ...] = (DONE, RAISED, REFUSED)
    seconds: float = 10.0
    monty: tuple[RunOutcome.ValueType, ...] | None = None
    """The outcomes in Monty; None if the program is CPython's alone."""
    machine: str = ""
    """The only one that knows what the program does; empty if each does."""


ANY = (DONE, RAISED, REFUSED, TIMED_OUT, OUT_OF_MEMORY, TOO_MUCH_OUTPUT, KILLED)
ERRORS = (RAISED, REFUSED)
TRIED = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
generic = os.uname().machine != "x86_64"
def works(result):
    return result != -1
def calls(number, number_elsewhere, *arguments):
    return works(libc.syscall(number_elsewhere if generic else number, *arguments))
"""
"""System calls have numbers of x86-64's own, and those of aarch64 and all later machines."""

PROGRAMS = (
    # Time.
    Hostile("loop", "run for ever", "while True: pass", (TIMED_OUT,), ENDLESS, (TIMED_OUT,)),
    Hostile(
        "sleep",
        "wait for ever",
        "import time\ntime.sleep(1000)",
        (TIMED_OUT,),
        ENDLESS,
        (TIMED_OUT,),
    ),
    Hostile(
        "loop without exceptions",
        "outlive its time by catching everything",
        "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
        (TIMED_OUT,),
        ENDLESS,
        (TIMED_OUT,),
    ),
    Hostile(
        "regular expression",
        "backtrack for ever",
        "import re\nre.match('(a+)+$', 'a' * 64 + 'b')",
        (TIMED_OUT,),
        ENDLESS,
        (TIMED_OUT, RAISED, DONE),
    ),
    Hostile(
        "huge power",
        "calculate for ever",
        "len(str(7 ** (10 ** 9))) > 0",
        (TIMED_OUT, RAISED, OUT_OF_MEMORY),
        ENDLESS,
        (TIMED_OUT, OUT_OF_MEMORY, RAISED),
    ),
    Hostile(
        "blocked signals",
        "outlive its time by blocking signals",
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
        (TIMED_OUT, *ERRORS),
        ENDLESS,
    ),
    Hostile(
        "ignored signals",
        "outlive its time by ignoring signals",
        "import signal\nfor n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n"
        "  except (OSError, ValueError): pass\nwhile True: pass",
        (TIMED_OUT,),
        ENDLESS,
    ),
    Hostile(
        "iterator without end",
        "sum for ever",
        "import itertools\nsum(itertools.count())",
        (TIMED_OUT,),
        ENDLESS,
        (TIMED_OUT, *ERRORS),
    ),
    Hostile(
        "trace function",
        "stop its supervisor by tracing",
        "import sys\nsys.settrace(lambda *_: None)\nwhile True: pass",
        (TIMED_OUT,),
        ENDLESS,
    ),
    # Memory.
    Hostile(
        "string",
        "take the machine's memory",
        "len('a' * 10**11) > 0",
        (OUT_OF_MEMORY,),
        monty=(OUT_OF_MEMORY,),
    ),
    Hostile(
        "growing list",
        "take the machine's memory",
        "x = [0]\nwhile True: x += x",
        (OUT_OF_MEMORY,),
        monty=(OUT_OF_MEMORY,),
    ),
    Hostile(
        "growing dict",
        "take the machine's memory",
        "d = {}\ni = 0\nwhile True:\n  i += 1\n  d[i] = 'x' * 100000",
        (OUT_OF_MEMORY,),
    ),
    Hostile("shift", "take the machine's memory", "1 << 10**11", (OUT_OF_MEMORY, RAISED)),
    Hostile(
        "mapped memory",
        "take the machine's memory past Python",
        "import mmap\nlen(mmap.mmap(-1, 10**10)) > 0",
        (RAISED, OUT_OF_MEMORY),
    ),
    Hostile(
        "shared by many",
        "take more with many processes than with one",
        "import mmap, os, time\nfor _ in range(3):\n  if os.fork() == 0: break\n"
        "m = mmap.mmap(-1, 80_000_000)\nfor i in range(0, len(m), 4096): m[i] = 1\n"
        "time.sleep(60)",
        (OUT_OF_MEMORY,),
    ),
    Hostile(
        "memory in a memfd",
        "hide memory in a file",
        "import os\nf = os.memfd_create('x')\nwhile True: os.write(f, b'x' * 1000000)",
        (*ERRORS, OUT_OF_MEMORY),
    ),
    Hostile(
        "memory in many memfds",
        "hide more memory than it may have where nothing counts it",
        "import os\nfor _ in range(60):\n  f = os.dup(os.memfd_create('x'))\n"
        "  for _ in range(15): os.write(f, b'x' * 1000000)\nTrue",
        ERRORS,
    ),
    Hostile(
        "raised limit",
        "raise its own limits",
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nTrue",
        ERRORS,
    ),
    Hostile(
        "recursion",
        "overflow the stack",
        "def f(): return f()\nf()",
        (RAISED, OUT_OF_MEMORY),
        monty=(RAISED, OUT_OF_MEMORY),
    ),
    Hostile(
        "recursion without limit",
        "crash the server by a stack",
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f()\nf()",
        (RAISED, KILLED, OUT_OF_MEMORY, TIMED_OUT),
        1.0,
    ),
    Hostile(
        "nested brackets",
        "crash a parser in the server",
        "eval('(' * 50000 + ')' * 50000)",
        (RAISED, OUT_OF_MEMORY, KILLED),
        monty=(*ERRORS, OUT_OF_MEMORY, KILLED),
    ),
    Hostile(
        "zip bomb",
        "fill memory by unpacking",
        "import zlib\nb = zlib.compress(b'0' * 10**7)\nfor _ in range(200):\n"
        "  b = b + zlib.decompress(zlib.compress(b'0' * 10**7))\nlen(b) > 10**9",
        (OUT_OF_MEMORY,),
    ),
    Hostile(
        "unicode bomb",
        "fill memory by formatting",
        "len(f'{1:>99999999999}') > 0",
        (OUT_OF_MEMORY, RAISED),
        monty=(OUT_OF_MEMORY, RAISED),
    ),
    # Processes.
    Hostile(
        "fork bomb",
        "fill the machine with processes",
        "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
        (TIMED_OUT, OUT_OF_MEMORY),
        ENDLESS,
    ),
    Hostile(
        "many processes",
        "have more processes than it may",
        "import os, time\nn = 0\ntry:\n  while n < 50:\n    if os.fork() == 0: time.sleep(60)\n"
        "    n += 1\nexcept OSError: pass\nn > 8",
        (DONE,),
    ),
    Hostile(
        "many threads",
        "have more threads than it may",
        "import threading, time\nn = 0\ntry:\n  while n < 50:\n"
        "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n    n += 1\n"
        "except RuntimeError: pass\nn > 8",
        (DONE,),
    ),
    Hostile(
        "daemon",
        "leave a process behind",
        "import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(600)\n"
        "  os._exit(0)\nFalse",
        (DONE,),
    ),
    Hostile(
        "daemon with a file",
        "write files after its end",
        "import os, time\nif os.fork() == 0:\n  for i in range(10**6):\n"
        "    open('late.txt', 'w').write('x' * 3_000_000)\nFalse",
        (DONE,),
    ),
    Hostile(
        "zombies",
        "fill the table of processes with zombies",
        "import os\nn = 0\ntry:\n  while n < 100:\n    if os.fork() == 0: os._exit(0)\n"
        "    n += 1\nexcept OSError: pass\nn > 8",
        (DONE,),
    ),
    Hostile("kill everything", "signal processes outside", "import os\nos.kill(-1, 9)", (KILLED,)),
    Hostile(
        "kill the parent",
        "end its supervisor unnoticed",
        "import os\nos.kill(os.getppid(), 9)\nimport time\ntime.sleep(5)",
        (KILLED,),
    ),
    Hostile(
        "stop the parent",
        "hold the server up by stopping its supervisor",
        "import os\nos.kill(os.getppid(), 19)",
        (TIMED_OUT, KILLED),
        ENDLESS,
    ),
    Hostile(
        "kill by number",
        "signal a process by guessing its number",
        "import os\nn = 0\nfor pid in range(20, 5000):\n  try:\n    os.kill(pid, 0)\n    n += 1\n"
        "  except OSError: pass\nn > 0",
        (DONE,),
    ),
    Hostile(
        "exec", "become a shell", "import os\nos.execv('/bin/sh', ['sh', '-c', 'echo x'])", ERRORS
    ),
    Hostile(
        "subprocess",
        "run a program of the machine",
        "import subprocess\nsubprocess.run(['/usr/bin/id'], check=True)\nTrue",
        ERRORS,
    ),
    Hostile("shell", "run a command", "import os\nos.system('touch /kari-was-here') == 0"),
    Hostile(
        "priority",
        "take precedence over the servers",
        "import os\nos.setpriority(os.PRIO_PROCESS, 0, -20)\nos.nice(0) < 0",
    ),
    Hostile(
        "affinity", "choose its processors", "import os\nos.sched_setaffinity(0, {0})\nTrue", ERRORS
    ),
    Hostile(
        "real time",
        "become a real-time process",
        "import os\nos.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))\nTrue",
        ERRORS,
    ),
    Hostile(
        "user namespace by clone",
        "make a namespace of its own",
        TRIED + "calls(56, 220, 0x10000000 | 17, 0, 0, 0, 0)",
    ),
    # Network.
    Hostile(
        "tcp",
        "connect",
        "import socket\nsocket.create_connection(('127.0.0.1', PORT), 1)\nTrue",
        ERRORS,
        monty=ERRORS,
    ),
    Hostile(
        "udp",
        "send a datagram",
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.sendto(b'x', ('127.0.0.1', PORT))\nTrue",
        ERRORS,
    ),
    Hostile("tcp by system call", "connect past Python", TRIED + "works(libc.socket(2, 1, 0))"),
    Hostile(
        "unix", "make a unix socket", "import socket\nsocket.socket(socket.AF_UNIX)\nTrue", ERRORS
    ),
    Hostile(
        "abstract unix",
        "reach a unix socket without a name in the file system",
        "import socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "a.sendto(b'x', '\\0kari-PORT')\nTrue",
        ERRORS,
    ),
    Hostile(
        "raw",
        "make a raw socket",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, 1)\nTrue",
        ERRORS,
    ),
    Hostile(
        "netlink",
        "ask the kernel for its network",
        "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)\nTrue",
        ERRORS,
    ),
    Hostile("vsock", "reach the hypervisor", "import socket\nsocket.socket(40, 1)\nTrue", ERRORS),
    Hostile(
        "names",
        "look a name up",
        "import socket\nsocket.getaddrinfo('example.org', 80)\nTrue",
        ERRORS,
    ),
    Hostile(
        "url",
        "fetch a page",
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:PORT/')\nTrue",
        ERRORS,
    ),
    Hostile(
        "listen",
        "be reached",
        "import socket\nsocket.create_server(('127.0.0.1', 0))\nTrue",
        ERRORS,
    ),
    # Files of the machine.
    Hostile("shadow", "read passwords", "open('/etc/shadow').read()\nTrue", ERRORS, monty=ERRORS),
    Hostile("passwd", "read accounts", "open('/etc/passwd').read()\nTrue", ERRORS),
    Hostile(
        "canary", "read Kari's data folder", "open('CANARY').read()\nTrue", ERRORS, monty=ERRORS
    ),
    Hostile(
        "canary written",
        "change Kari's data folder",
        "open('CANARY', 'w').write('changed')\nTrue",
        ERRORS,
        monty=ERRORS,
    ),
    Hostile(
        "home",
        "list homes",
        "import os\n[p for p in ('/root', '/home', '/work', '/var') if os.path.exists(p)] != []",
        (DONE,),
        monty=(DONE, *ERRORS),
    ),
    Hostile("root written", "write to the root", "open('/x', 'w')\nTrue", ERRORS),
    Hostile(
        "library written",
        "change the library",
        "import json\nopen(json.__file__, 'a').write('x')\nTrue",
        ERRORS,
    ),
    Hostile(
        "python removed",
        "remove the interpreter",
        "import os, sys\nos.unlink(sys.executable)\nTrue",
        ERRORS,
    ),
    Hostile(
        "site-packages",
        "see what is installed beside Kari",
        "import sys\nsys.path.append('/python/lib/python3.%d/site-packages' % sys.version_info[1])"
        "\nimport grpc\nTrue",
        ERRORS,
    ),
    Hostile(
        "proc",
        "read what the kernel tells of processes",
        "import os\nos.path.exists('/proc/self/environ') or os.path.exists('/proc/1')",
        (DONE,),
    ),
    Hostile(
        "sys",
        "read what the kernel tells of the machine",
        "import os\nos.path.exists('/sys/kernel')",
        (DONE,),
    ),
    Hostile("shm", "write to shared memory", "open('/dev/shm/x', 'w')\nTrue", ERRORS),
    Hostile("mem", "read the machine's memory", "open('/dev/mem', 'rb').read(1)\nTrue", ERRORS),
    Hostile(
        "terminal",
        "get a terminal",
        "import os\nos.path.exists('/dev/ptmx') or os.path.exists('/dev/tty')",
        (DONE,),
    ),
    Hostile(
        "environment",
        "read secrets from its environment",
        "import os\n[n for n in os.environ if 'KARI' in n or 'KEY' in n or 'TOKEN' in n] != []",
        (DONE,),
        monty=(DONE, *ERRORS),
    ),
    Hostile(
        "environment of the parent",
        "read its supervisor's environment",
        "import os\nopen('/proc/%d/environ' % os.getppid()).read()\nTrue",
        ERRORS,
    ),
    Hostile(
        "inherited descriptors",
        "use a descriptor of the server's",
        "import os\ndef is_open(n):\n  try: os.fstat(n)\n  except OSError: return False\n"
        "  return True\n[n for n in range(3, 1024) if is_open(n) and "
        "os.readlink is not None and os.fstat(n).st_mode & 0o170000 not in (0o100000,)] != []",
        (DONE,),
    ),
    # The folder.
    Hostile(
        "symlink",
        "have a file of the machine read back through a link",
        "import os\nos.symlink('/etc/hostname', 'out.txt')\nos.symlink('CANARY', 'two.txt')\nFalse",
        (DONE,),
    ),
    Hostile(
        "hard link",
        "have a file of the machine linked",
        "import os\nos.link('/usr/lib/os-release', 'out.txt')\nTrue",
        ERRORS,
    ),
    Hostile(
        "device",
        "make a device",
        "import os\nos.mknod('out', 0o20666, os.makedev(1, 1))\nTrue",
        ERRORS,
    ),
    Hostile(
        "fifo",
        "hold the server up with a pipe that nobody writes to",
        "import os\nos.mkfifo('out.txt')\nFalse",
        (DONE, *ERRORS),
    ),
    Hostile(
        "socket file",
        "bind a socket in its folder",
        "import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('/box/s')\nTrue",
        ERRORS,
    ),
    Hostile(
        "sparse file",
        "have a huge file read back",
        "f = open('huge.bin', 'wb')\nf.truncate(10**12)\nTrue",
        ERRORS,
    ),
    Hostile(
        "full folder",
        "fill the machine's disk",
        "n = 0\nwhile True:\n  open(f'f{n}', 'wb').write(b'x' * 1000000)\n  n += 1",
        (*ERRORS, OUT_OF_MEMORY),
    ),
    Hostile(
        "many files",
        "fill the kernel with files",
        "n = 0\nwhile True:\n  open(f'f{n}', 'w').close()\n  n += 1",
        (OUT_OF_MEMORY, *ERRORS, TIMED_OUT),
    ),
    Hostile(
        "many folders",
        "fill the kernel with folders",
        "import os\nwhile True:\n  os.mkdir('d')\n  os.chdir('d')",
        (OUT_OF_MEMORY, *ERRORS, TIMED_OUT),
    ),
    Hostile(
        "file names",
        "have files with names that are none given back",
        "for name in ('a\\nb', '.hidden', '-rf', 'a;b', '\\u202e', 'x' * 200):\n"
        "  open(name, 'w').write('x')\nFalse",
        (DONE,),
    ),
    Hostile(
        "setuid file",
        "make a program that runs as its owner",
        "import os\nopen('s', 'w').close()\nos.chmod('s', 0o6777)\n"
        "not os.statvfs('s').f_flag & os.ST_NOSUID",
        (DONE,),
    ),
    Hostile("become root", "become root", "import os\nos.setuid(0)\nTrue", ERRORS),
    Hostile(
        "become a group",
        "join a group",
        "import os\nos.setgroups([0])\nTrue",
        ERRORS,
    ),
    Hostile(
        "folder",
        "have its supervisor die by opening a folder as a file",
        "import os\nos.mkdir('out.txt')\nFalse",
        (DONE,),
    ),
    Hostile(
        "owner",
        "give a file away",
        "import os\nopen('s', 'w').close()\nos.chown('s', 0, 0)\nTrue",
        ERRORS,
    ),
    # Output.
    Hostile(
        "output",
        "flood the server",
        "while True: print('x' * 1000)",
        (TOO_MUCH_OUTPUT,),
        monty=(TOO_MUCH_OUTPUT,),
    ),
    Hostile(
        "errors",
        "flood the server through standard error",
        "import sys\nwhile True: sys.stderr.write('x' * 1000)",
        (TOO_MUCH_OUTPUT,),
        monty=(TOO_MUCH_OUTPUT, *ERRORS),
    ),
    Hostile(
        "output without a newline",
        "flood the server with one line",
        "import os\nwhile True: os.write(1, b'x' * 100000)",
        (TOO_MUCH_OUTPUT,),
    ),
    Hostile(
        "both streams",
        "flood the server through both",
        "import os\nwhile True:\n  os.write(1, b'x' * 100)\n  os.write(2, b'y' * 100)",
        (TOO_MUCH_OUTPUT,),
    ),
    Hostile(
        "other descriptors",
        "forge its report",
        "import os\nfor n in range(3, 1024):\n  try: os.write(n, b'\\0\\0\\0\\2{}')\n"
        "  except OSError: pass\nFalse",
        (DONE, RAISED, KILLED),
    ),
    Hostile(
        "closed output",
        "hold the server up by closing its streams",
        "import os\nos.close(1)\nos.close(2)\nos.close(0)\nFalse",
        (DONE, RAISED),
    ),
    Hostile(
        "closed output and a loop",
        "outlive its time with closed streams",
        "import os\nos.close(1)\nos.close(2)\nwhile True: pass",
        (TIMED_OUT,),
        ENDLESS,
    ),
    Hostile(
        "control characters",
        "break the protocol by what it prints",
        "print('\\x00\\x1b[2J\\ud800\\udfff')\nFalse",
        (DONE, RAISED),
        monty=(DONE, RAISED),
    ),
    # Values.
    Hostile(
        "deep value",
        "crash the server with a deep value",
        "x = []\nfor _ in range(10**5): x = [x]\nx",
        (DONE, RAISED, KILLED),
        monty=(DONE, RAISED, KILLED, OUT_OF_MEMORY),
    ),
    Hostile(
        "huge value", "have a huge value given back", "['x' * 1000] * 10000", (DONE,), monty=(DONE,)
    ),
    Hostile(
        "huge integer",
        "have the server print a huge integer",
        "10 ** 10000",
        (DONE,),
        monty=(DONE,),
    ),
    Hostile(
        "value that lies",
        "run code while its value is made JSON",
        "class L(list):\n  def __iter__(self): raise SystemExit(3)\n"
        "  def __len__(self): return 1 << 60\nL([1])",
        ANY,
    ),
    Hostile("no number", "have a value that is no JSON", "float('nan')", (DONE,), monty=(DONE,)),
    # The interpreter.
    Hostile(
        "subclasses",
        "reach the server's classes",
        "[c for c in ().__class__.__base__.__subclasses__() if 'grpc' in str(c)] != []",
        (DONE,),
        monty=(DONE, *ERRORS),
    ),
    Hostile(
        "frames",
        "reach its supervisor's report through frames",
        "import sys\nf = sys._getframe()\nwhile f.f_back: f = f.f_back\n'secret' in f.f_globals",
        (DONE,),
    ),
    Hostile(
        "pickle",
        "run a command by unpickling",
        "import pickle\npickle.loads(b\"cos\\nsystem\\n(S'touch /kari-was-here'\\ntR.\") == 0",
    ),
    Hostile("early exit", "end without a report", "import os\nos._exit(0)", (DONE,)),
    Hostile(
        "early exit with a code",
        "pass for well with an exit code",
        "import os\nos._exit(7)",
        (RAISED,),
    ),
    Hostile(
        "crash", "take the server down by a crash", "import ctypes\nctypes.string_at(0)", (KILLED,)
    ),
    Hostile("abort", "take the server down by aborting", "import os\nos.abort()", (KILLED,)),
    Hostile(
        "machine code",
        "run machine code with more rights than it has",
        "import ctypes, mmap\nm = mmap.mmap(-1, 4096, prot=7)\n"
        # getuid()
        "m.write(b'\\xb8\\x66\\x00\\x00\\x00\\x0f\\x05\\xc3')\n"
        "f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\n"
        "f() == 0",
        ANY,
        machine="x86_64",
    ),
    # System calls.
    Hostile("ptrace", "trace its supervisor", TRIED + "works(libc.ptrace(16, os.getppid(), 0, 0))"),
    Hostile(
        "memory of another",
        "read its supervisor's memory",
        TRIED + "works(libc.process_vm_readv(os.getppid(), 0, 0, 0, 0, 0))",
    ),
    Hostile("mount", "mount", TRIED + "works(libc.mount(b'x', b'/box', b'tmpfs', 0, 0))"),
    Hostile("unmount", "take a mount away", TRIED + "works(libc.umount2(b'/usr/lib', 2))"),
    Hostile("unshare", "make namespaces", TRIED + "works(libc.unshare(0x10000000))"),
    Hostile("setns", "enter a namespace", TRIED + "works(libc.setns(0, 0))"),
    Hostile("chroot", "change its root", "import os\nos.chroot('/box')\nTrue", ERRORS),
    Hostile("keyctl", "read keys", TRIED + "calls(250, 219, 0, -3, 1)"),
    Hostile("bpf", "load a program into the kernel", TRIED + "calls(321, 280, 0, 0, 0)"),
    Hostile("perf", "watch the machine", TRIED + "calls(298, 241, 0, 0, -1, -1, 0)"),
    Hostile(
        "io_uring",
        "make system calls past the filter",
        TRIED + "calls(425, 425, 4, ctypes.create_string_buffer(200))",
    ),
    Hostile("userfaultfd", "handle the kernel's page faults", TRIED + "calls(323, 282, 1)"),
    Hostile(
        "personality",
        "switch off its address randomization",
        TRIED + "works(libc.personality(0x0040000))",
    ),
    Hostile("kexec", "start another kernel", TRIED + "calls(246, 104, 0, 0, 0, 0)"),
    Hostile("reboot", "reboot", TRIED + "works(libc.reboot(0xfee1dead))"),
    Hostile(
        "clock",
        "change the time",
        "import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)\nTrue",
        ERRORS,
    ),
    Hostile(
        "host name", "rename the machine", "import socket\nsocket.sethostname('x')\nTrue", ERRORS
    ),
    Hostile(
        "seccomp", "put a filter of its own before the jail's", TRIED + "works(libc.prctl(22, 1))"
    ),
    Hostile("module", "load a kernel module", TRIED + "calls(313, 273, 0, b'', 0)"),
    Hostile("handles", "open files by their handles", TRIED + "calls(304, 265, 0, 0, 0)"),
    Hostile(
        "other calls",
        "make system calls as a 32-bit program",
        TRIED + "works(libc.syscall(0x40000000 | 39))",
        ANY,
        machine="x86_64",
    ),
)


def known_here(hostile: Hostile) -> bool:
    """Whether this machine knows what the program does."""
    return hostile.machine in ("", platform.machine())
