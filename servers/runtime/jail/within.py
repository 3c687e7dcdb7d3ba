"""Becomes a program that may have so many processes and threads.

Run within a jail, with the standard library alone: `python -I -S -c <this> PROCESSES PROGRAM...`.
"""

import os
import resource
import sys

if __name__ == "__main__":
    most = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
