"""Within the jail: runs one program in CPython and reports what came of it.

The program is a child of its own: it does not have the report's descriptor, so it can neither forge
nor hinder the report, and what it leaves behind is killed before its files are read. What the
program says of itself (its value, the exception that it ended with) is its word; nothing is decided
by it.

It imports what starts fast: each of `re`, `enum`, `typing` would take a tenth of its start or more.
"""

import _ast
import _signal as signal  # type: ignore[import-not-found]  # `signal` itself makes enums of it
import _stat as stat
import binascii
import builtins
import errno
import io
import os
import resource
import sys

from servers.code_execution.within import json_text as json
from servers.code_execution.within.frames import READY, Json, keep_only, receive, send
from servers.code_execution.within.values import json_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

NAME = "program.py"
NICENESS = 5
"""The servers come first; it starts without it, so that workers are there soon."""
BOX = "/box"
LONGEST_NAME = 100
PUNCTUATION = str.maketrans("_. -", "aaaa")
LONGEST_SAYING = 2_000_000
IMPORT = builtins.__import__
LONGEST_TRACEBACK = 10_000
MOST_LOOKED_AT = 2000
OWN_PROCESSES = 2
"""Bubblewrap's and this one."""


def main(report: int, said: int, stdin: int) -> None:
    """Waits for the job, has it done, reports. `said` and `stdin` are empty files in memory that
    the server made: the jail lets nobody make any, since nothing counts what is in them."""
    keep_only(report, said, stdin)
    os.mkdir(f"{BOX}/.tmp")
    os.write(report, READY)
    job = receive(0)
    given = put_files(job["files"])
    most = job["processes"] + OWN_PROCESSES
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    put_stdin(stdin, job["stdin"].encode())
    child = os.fork()
    if child == 0:
        os.close(report)
        run(job, stdin, said)
    os.dup2(stdin, 0)
    status = ended(child)
    kill_the_rest()
    answer = outcome_of(status, said)
    answer.update(changed_files(given, job["file_bytes"], job["files_bytes"], job["most_files"]))
    send(report, answer)


def put_files(files: list[Json]) -> dict[str, bytes]:
    """Writes the files that the program finds; what is in them, by name."""
    given = dict[str, bytes]()
    for file in files:
        content = binascii.a2b_base64(file["content"])
        given[file["name"]] = content
        with open(f"{BOX}/{file['name']}", "xb") as out:
            out.write(content)
    return given


def put_stdin(descriptor: int, content: bytes) -> None:
    """Writes what the program reads."""
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)


def ended(child: int) -> int:
    """Waits for the child alone; its status."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return status


def kill_the_rest() -> None:
    """Kills whatever the program left behind: every process of the jail but this and the first."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return


def outcome_of(status: int, said: int) -> Json:
    """How it ended: by a signal, or as it says."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        outcome = "timed_out" if number == signal.SIGXCPU else "killed"
        return {"outcome": outcome, "explanation": f"it died by signal {number}"}
    try:
        answer = json.loads(os.pread(said, LONGEST_SAYING, 0))
        return {key: str(answer[key]) for key in ("outcome", "explanation", "value_json")}
    except (ValueError, LookupError, TypeError, RecursionError):
        return at_exit(os.WEXITSTATUS(status))


def at_exit(code: int) -> Json:
    """How a program ended that left without a word, as by `os._exit`."""
    if code == 0:
        return {"outcome": "done"}
    return {"outcome": "raised", "explanation": f"it ended with exit code {code}"}


def changed_files(given: dict[str, bytes], one: int, all_: int, most: int) -> Json:
    """Regular files of the folder that are new or changed. Links are not followed, what is no
    regular file is not opened twice, what is too large is named only."""
    files, left_out, room = list[Json](), list[str](), all_
    for name in names():
        content = content_of(name, min(one, room))
        if content is None or given.get(name) == content:
            continue
        if isinstance(content, int) or len(files) == most:
            left_out.append(name)
            continue
        room -= len(content)
        files.append(
            {"name": name, "content": binascii.b2a_base64(content, newline=False).decode()}
        )
    return {"files": files, "left_out": left_out[:50]}


def names() -> list[str]:
    """Names in the folder that a file may have."""
    found = []
    with os.scandir(BOX) as entries:
        for _, entry in zip(range(MOST_LOOKED_AT), entries):  # noqa: B905  # it ends with either
            if may_be_named(entry.name):
                found.append(entry.name)
    return sorted(found)


def may_be_named(name: str) -> bool:
    """Letters, digits and underscores of ASCII; dots, spaces and hyphens after the first."""
    plain = name.translate(PUNCTUATION)
    return (
        len(name) <= LONGEST_NAME and name[0] not in ". -" and plain.isalnum() and plain.isascii()
    )


def content_of(name: str, most: int) -> bytes | int | None:
    """What is in a file; its size if that is more than `most`; None if it is no regular file."""
    try:
        descriptor = os.open(f"{BOX}/{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return None
        if about.st_size > most:
            return about.st_size
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(descriptor)


def run(job: Json, stdin: int, said: int) -> None:
    """The child: becomes the program. Does not come back."""
    try:
        os.dup2(stdin, 0)
        os.setsid()
        os.nice(NICENESS)
        limit_itself(job)
        answer = executed(job)
    except BaseException as failure:  # noqa: BLE001  # a program may end by anything
        answer = told(failure)
    try:
        body = json.dumps(answer).encode()
    except MemoryError:
        body = b'{"outcome": "out_of_memory", "explanation": "", "value_json": ""}'
    os.pwrite(said, body, 0)
    os._exit(0)


def limit_itself(job: Json) -> None:
    """Limits of this run, which may be lower than those that the jail began with."""
    for limit, most in (
        (resource.RLIMIT_AS, job["memory_bytes"]),
        (resource.RLIMIT_CPU, job["cpu_seconds"]),
    ):
        _, hard = resource.getrlimit(limit)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))


def executed(job: Json) -> Json:
    """Runs the program as a script runs; how it ended."""
    for name in [each for each in sys.modules if each.startswith("servers")]:
        del sys.modules[name]
    setattr(sys, "__stdout__", sys.stdout)  # noqa: B010  # final to type checkers alone
    sys.argv = [NAME]
    sys.path.insert(0, BOX)
    module = type(sys)("__main__")
    sys.modules["__main__"] = module
    module.__dict__.update(json.loads(job["inputs_json"] or "{}"))
    code = job["code"]
    allow_imports(job["modules"], {file["name"].removesuffix(".py") for file in job["files"]})
    try:
        value = evaluated(code, module)
        wait_for_threads()
        flush()
        return said_well(value)
    except SystemExit as left:
        flush()
        return told_exit(left)
    except BaseException as failure:  # noqa: BLE001  # a program may end by anything
        answer = told(failure)
        show(failure, code)
        flush()
        return answer


def evaluated(code: str, module: "ModuleType") -> object:
    """Runs the statements; the value of the last one if it is an expression."""
    tree: Any = compile(code, NAME, "exec", _ast.PyCF_ONLY_AST)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, _ast.Expr):
        exec(compile(tree, NAME, "exec"), module.__dict__)  # noqa: S102  # that is what it is for
        return None
    tree.body.pop()
    exec(compile(tree, NAME, "exec"), module.__dict__)  # noqa: S102
    expression = compile(_ast.Expression(last.value), NAME, "eval")
    return eval(expression, module.__dict__)  # noqa: S307


def allow_imports(modules: list[str] | None, own: set[str]) -> None:
    """Lets the program import these alone, and files of its own. That is a policy and no wall: what
    it imports may import everything, and there are ways around. The wall is the jail."""
    if modules is None:
        return
    allowed, original = {*modules, *own}, builtins.__import__

    def guarded(name: str, globals_=None, locals_=None, fromlist=(), level=0):  # type: ignore[no-untyped-def]
        asking = (globals_ or {}).get("__name__")
        top = name.partition(".")[0]
        if asking == "__main__" and level == 0 and top not in allowed:
            raise ImportError(f"module {top!r} is not among the allowed ones", name=top)
        return original(name, globals_, locals_, fromlist, level)

    builtins.__import__ = guarded  # type: ignore[assignment]  # its names end in underscores


def wait_for_threads() -> None:
    """As at the end of any script: what the interpreter calls then, if the program has threads."""
    if (threading := sys.modules.get("threading")) is not None:
        threading._shutdown()


def said_well(value: object) -> Json:
    """It came to its end."""
    return {"outcome": "done", "explanation": "", "value_json": json_of(value)}


def told(failure: BaseException) -> Json:
    """It ended by an exception."""
    kind = type(failure).__name__[:100]
    outcome = "raised"
    if isinstance(failure, MemoryError):
        outcome = "out_of_memory"
    elif is_refusal(failure):
        outcome = "refused"
    return {"outcome": outcome, "explanation": f"it raised {kind}", "value_json": ""}


def is_refusal(failure: BaseException) -> bool:
    """Whether it ran into the jail's wall, or into the policy of imports."""
    if isinstance(failure, ImportError):
        return "is not among the allowed ones" in str(failure)
    return isinstance(failure, OSError) and failure.errno in (errno.EPERM, errno.EROFS)


def told_exit(left: SystemExit) -> Json:
    """It called `sys.exit`."""
    if left.code is None or left.code == 0:
        return said_well(None)
    if not isinstance(left.code, int):
        sys.stderr.write(f"{left.code}\n"[:10_000])
        flush()
    code = left.code if isinstance(left.code, int) else 1
    return {"outcome": "raised", "explanation": f"it ended with exit code {code}", "value_json": ""}


def show(failure: BaseException, code: str) -> None:
    """Its traceback, from the program's first line on."""
    # Here and not above: a worker without them is there ten milliseconds sooner. The policy is the
    # program's, not ours.
    builtins.__import__ = IMPORT
    import linecache
    import traceback

    linecache.cache[NAME] = (len(code), None, code.splitlines(True), NAME)
    first = failure.__traceback__
    while first is not None and first.tb_frame.f_code.co_filename != NAME:
        first = first.tb_next
    try:
        lines = traceback.format_exception(type(failure), failure, first, limit=-50)
        sys.stderr.write("".join(lines)[-LONGEST_TRACEBACK:])
    except Exception:  # noqa: BLE001  # out of memory, or the program's own `__str__`
        os.write(2, f"{type(failure).__name__}\n".encode())


def flush() -> None:
    """What is still in Python's buffers."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S112  # closed or replaced by the program
            continue


if __name__ == "__main__":
    printing = open(1, "wb", closefd=False)  # noqa: SIM115  # for as long as the program runs
    sys.stdout = io.TextIOWrapper(printing, "utf-8", "backslashreplace", line_buffering=True)
    main(*map(int, sys.argv[1:]))
