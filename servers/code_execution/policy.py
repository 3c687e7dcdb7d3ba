"""What programs may use, as the settings say. Pure.

Modules and functions are a policy: they keep programs to what they are for. What keeps a hostile
one is the jail.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kari.code_execution.v1.code_execution_pb2 import Runner
from servers.code_execution.program import Limits
from servers.runtime.settings import Misconfigured, Settings

NAMES = {"monty": Runner.RUNNER_MONTY, "cpython": Runner.RUNNER_CPYTHON}
ALL = "*"
DEFAULT_MODULES = frozenset(
    [
        "abc",
        "argparse",
        "array",
        "ast",
        "asyncio",
        "base64",
        "binascii",
        "bisect",
        "bz2",
        "calendar",
        "cmath",
        "codecs",
        "collections",
        "colorsys",
        "concurrent",
        "configparser",
        "contextlib",
        "copy",
        "csv",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
        "doctest",
        "email",
        "enum",
        "fractions",
        "functools",
        "gzip",
        "glob",
        "graphlib",
        "hashlib",
        "heapq",
        "hmac",
        "html",
        "io",
        "inspect",
        "ipaddress",
        "itertools",
        "json",
        "keyword",
        "locale",
        "logging",
        "lzma",
        "math",
        "mimetypes",
        "numbers",
        "operator",
        "os",
        "pathlib",
        "pickle",
        "platform",
        "pprint",
        "queue",
        "random",
        "re",
        "reprlib",
        "secrets",
        "shlex",
        "shutil",
        "sqlite3",
        "statistics",
        "string",
        "stringprep",
        "struct",
        "sys",
        "tarfile",
        "tempfile",
        "textwrap",
        "threading",
        "time",
        "timeit",
        "tokenize",
        "tomllib",
        "traceback",
        "types",
        "typing",
        "unicodedata",
        "unittest",
        "urllib",
        "uuid",
        "warnings",
        "weakref",
        "xml",
        "zipfile",
        "zlib",
        "zoneinfo",
    ]
)
"""What calculates, parses and formats; not what reaches for other processes, native code or a
network (which are not there)."""
IMPORTED = re.compile(
    r"(?:^|[;:\n])[ \t]*(?:from[ \t]+([\w.]+)|import[ \t]+([\w. \t,]+))",
)
ALIAS = re.compile(r"[ \t]+as[ \t]+\w+")


@dataclass(frozen=True)
class Policy:
    """What is on, and for whom."""

    runners: tuple[Runner.ValueType, ...]
    limits: Limits
    cpython_role: str = ""
    modules: frozenset[str] | None = DEFAULT_MODULES
    """Those that a program of CPython may import; None is all."""
    monty_modules: frozenset[str] | None = None
    functions: frozenset[str] | None = None
    """Functions of the host that a program of Monty may call; None is all."""

    def role_for(self, runner: Runner.ValueType) -> frozenset[str]:
        """Roles that a runner asks for beyond the contract's."""
        if runner == Runner.RUNNER_CPYTHON and self.cpython_role:
            return frozenset({self.cpython_role})
        return frozenset()


def policy_of(settings: Settings) -> Policy:
    """The policy of the settings. Misconfigured, naming the variable, if it is none."""
    try:
        runners = runners_of(settings.code_runners)
    except ValueError as error:
        raise Misconfigured(f"KARI_CODE_RUNNERS: {error}") from None
    return Policy(
        runners,
        Limits(
            settings.code_seconds,
            settings.code_memory_bytes,
            settings.code_output_bytes,
            settings.code_processes,
        ),
        settings.code_cpython_role,
        allowed_of(settings.code_modules, DEFAULT_MODULES),
        allowed_of(settings.code_monty_modules, None),
        allowed_of(settings.code_functions, None),
    )


def runners_of(text: str) -> tuple[Runner.ValueType, ...]:
    """Runners by their names, in order. ValueError, naming it, if one is none."""
    found = list[Runner.ValueType]()
    for name in words(text):
        if name not in NAMES:
            raise ValueError(f"`{name}` is no runner; there are {', '.join(NAMES)}")
        found.append(NAMES[name])
    return tuple(dict.fromkeys(found))


def allowed_of(text: str, default: frozenset[str] | None) -> frozenset[str] | None:
    """Names of a list; the default if it is empty; None, which is all, for `*`."""
    names = words(text)
    if not names:
        return default
    return None if ALL in names else frozenset(names)


def words(text: str) -> Sequence[str]:
    """The words of a list that commas separate."""
    return [word for word in (part.strip() for part in text.split(",")) if word]


def refused_module(code: str, allowed: frozenset[str] | None) -> str | None:
    """The first module that a text imports and that is not allowed, as far as its lines tell."""
    if allowed is None:
        return None
    for found in IMPORTED.finditer(code.replace("\\\n", " ")):
        names = [found[1]] if found[1] else ALIAS.sub("", found[2]).split(",")
        for name in names:
            top = name.strip().partition(".")[0].partition(" ")[0]
            if top and top not in allowed:
                return top
    return None
