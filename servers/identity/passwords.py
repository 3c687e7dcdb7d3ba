"""Passwords: argon2id, on threads of their own, so that the event loop goes on meanwhile."""

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

P = ParamSpec("P")
T = TypeVar("T")

# 46 MiB, one pass, one lane: the first of OWASP's equal choices (Password Storage Cheat Sheet),
# 51 ms of one core here. Hashes of other parameters are renewed when their user signs in.
HASHER = PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)

THREADS = 2
"""Hashes at once; bounds memory to twice 46 MiB and leaves cores to the rest of the mesh."""


@dataclass(frozen=True)
class Checked:
    """Whether a password was right, and its hash under today's parameters if the kept one is of
    others."""

    right: bool
    renewed: str | None = None


class Passwords:
    """Hashes and checks passwords, at most `threads` at once; others wait in line."""

    def __init__(self, hasher: PasswordHasher = HASHER, threads: int = THREADS) -> None:
        self._hasher = hasher
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="passwords")

    async def hash(self, password: str) -> str:
        """The hash to keep, in the PHC string format."""
        return await self._run(self._hash, password)

    async def check(self, kept: str | None, password: str) -> Checked:
        """Checks against the kept hash. None, for nobody, takes the same work and is wrong."""
        return await self._run(self._check, kept, password)

    async def close(self) -> None:
        """Ends the threads; work that has not begun is dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: work(*args, **kwargs))

    def _hash(self, password: str) -> str:
        return self._hasher.hash(_normal(password))

    def _check(self, kept: str | None, password: str) -> Checked:
        try:
            self._hasher.verify(kept or self._nobodys, _normal(password))
        except (VerificationError, InvalidHashError):
            return Checked(right=False)
        renew = self._hasher.check_needs_rehash(kept or self._nobodys)
        return Checked(kept is not None, self._hash(password) if renew else None)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe())


def _normal(password: str) -> str:
    """Keyboards write the same letter in different ways (RFC 8265)."""
    return unicodedata.normalize("NFC", password)
