"""Within the jail: runs one program in Monty and reports what came of it.

Monty itself is a process of its own beside this one, in the same jail: a program that broke out of
the interpreter would find what a program of CPython finds. What it prints and what it gives back
are taken in here, so that nothing of it is decoded in the server but JSON of a bounded length.
"""

import json
import os
import resource
import sys
from typing import Any

from servers.code_execution.functions import FUNCTIONS
from servers.code_execution.within.frames import READY, Json, keep_only, receive, send
from servers.code_execution.within.values import json_of

BINARY = "/python/bin/monty"
PACKAGES = "/python/monty"
NICENESS = 5
PROCESSES = 16
"""Monty's own threads and this one's."""
OUTCOMES = {
    "TimeoutError": "timed_out",
    "MemoryError": "out_of_memory",
    "PermissionError": "refused",
    "ModuleNotFoundError": "refused",
}


def main(report: int) -> None:
    """Starts Monty, waits for the job, has it done, reports."""
    keep_only(report)
    resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
    sys.path.append(PACKAGES)
    import pydantic_monty

    with pydantic_monty.Monty(binary_path=BINARY, min_processes=1, max_processes=1) as pool:
        rehearse(pool)
        os.write(report, READY)
        job = receive(0)
        try:
            with pool.checkout(script_name="program.py", limits=limits_of(job)) as session:
                os.setpriority(os.PRIO_PROCESS, session.worker_pid or 0, NICENESS)
                value = session.feed_run(
                    job["code"],
                    inputs=json.loads(job["inputs_json"] or "{}"),
                    external_lookup=functions_of(job["functions"]),
                    print_callback=printed,
                )
            answer = {"outcome": "done", "value_json": json_of(value)}
        except pydantic_monty.MontyError as error:
            answer = told(error)
        except MemoryError:
            answer = {"outcome": "out_of_memory"}
        send(report, answer)


def rehearse(pool: Any) -> None:
    """Runs a program of no consequence: what is made at the first use is there for the real one,
    which is ten times as quick then."""
    with pool.checkout(script_name="program.py") as session:
        session.feed_run("len(str(1))", print_callback=printed)


def limits_of(job: Json) -> Any:
    """Limits as Monty names them. Sleeping is bounded as calculating is."""
    return {
        "max_feed_duration_secs": job["seconds"],
        "max_total_sleep_secs": job["seconds"],
        "max_memory": job["memory_bytes"],
        "max_recursion_depth": 1000,
    }


def functions_of(names: "list[str] | None") -> Json:
    """The functions that a program may call."""
    return {name: FUNCTIONS[name] for name in FUNCTIONS if names is None or name in names}


def printed(stream: str, text: str) -> None:
    """Passes on what the program prints."""
    view = memoryview(text.encode("utf-8", "backslashreplace"))
    while view:
        view = view[os.write(2 if stream == "stderr" else 1, view) :]


def told(error: Any) -> Json:
    """How a program ended that did not go well."""
    kind = type(error.exception()).__name__ if hasattr(error, "exception") else ""
    if type(error).__name__ == "MontyCrashedError":
        return {"outcome": "killed", "explanation": "the interpreter died"}
    try:
        printed("stderr", error.display()[-10_000:] + "\n")
    except MemoryError:
        kind = "MemoryError"
    return {"outcome": OUTCOMES.get(kind, "raised"), "explanation": f"it raised {kind}"}


if __name__ == "__main__":
    main(int(sys.argv[1]))
