"""A capsule as it was read at some moment: never changed, so a run under way keeps its own."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from servers.capsules import signature
from servers.capsules.folder import read_folder
from servers.capsules.manifest import HANDLER, BrokenCapsule, Manifest, manifest_of
from servers.capsules.prompts import Prompts
from servers.capsules.run import Deny
from servers.capsules.signature import TrustedKeys
from servers.capsules.skill import Skill
from servers.runtime.schemas import Schema

LARGEST_HANDLER = 200_000
"""Bytes: what it becomes when it is parsed takes some hundred times its size."""


class HandlerFailed(Exception):
    """A handler did something that it may not, or died. The message is one sentence with file and
    line where they are known; it may be shown to users."""


class Handler(Protocol):
    """Runs a capsule's code."""

    async def run(self, skill: Skill, seconds: float, deny: Deny) -> Any:
        """What it returns; SkillError as it raises it, HandlerFailed for everything else, and
        Unavailable if there is no process for it to run in. It is cancelled when its time,
        `seconds`, is over. `deny` is told of addresses that it may not reach."""

    async def check(self) -> str:
        """What keeps it from being run at all; empty if nothing does."""


@dataclass(frozen=True)
class Version:
    """What was read, checked and found to be in order."""

    manifest: Manifest
    files: Mapping[str, bytes]
    prompts: Prompts
    input: Schema
    result: Schema | None
    signed_by: str = ""


def read_version(folder: Path, keys: TrustedKeys, *, signed: bool) -> Version:
    """Reads and checks a folder; BrokenCapsule says what is wrong with it. The signature is that of
    the very bytes that are in the version."""
    files = read_folder(folder)
    signed_by = signature.signer_of(files, keys, required=signed)
    manifest = manifest_of(files)
    prompts = Prompts(templates_of(manifest, files))
    if wrong := prompts.first_error():
        raise BrokenCapsule(wrong)
    check_handler(files[HANDLER])
    result = None if manifest.result_schema is None else Schema(manifest.result_schema)
    return Version(manifest, files, prompts, Schema(manifest.input_schema), result, signed_by)


def templates_of(manifest: Manifest, files: Mapping[str, bytes]) -> dict[str, str]:
    """The templates of the prompts that the manifest names, by name."""
    found = dict[str, str]()
    for name in manifest.prompts:
        path = f"prompts/{name}.j2"
        try:
            found[name] = files[path].decode()
        except UnicodeDecodeError as error:
            raise BrokenCapsule(f"{path}: is not UTF-8, from byte {error.start} on") from None
    return found


def check_handler(source: bytes) -> None:
    """Looks at a handler without running it: is it Python, and has it a `run`?"""
    if len(source) > LARGEST_HANDLER:
        most = f"{LARGEST_HANDLER} bytes; a module beside it may have the rest"
        raise BrokenCapsule(f"{HANDLER}: is larger than {most}")
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        line = f" line {error.lineno}" if error.lineno else ""
        raise BrokenCapsule(f"{HANDLER}{line}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise BrokenCapsule(f"{HANDLER}: is not Python") from None
    runs = [n for n in tree.body if isinstance(n, ast.AsyncFunctionDef) and n.name == "run"]
    if not runs:
        raise BrokenCapsule(f"{HANDLER}: has no `async def run(skill)`")
    if len(runs[-1].args.args) != 1:
        raise BrokenCapsule(
            f"{HANDLER} line {runs[-1].lineno}: `run` takes one argument, the skill"
        )
