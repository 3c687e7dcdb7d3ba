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

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import RateLimited

P = ParamSpec("P")
T = TypeVar("T")

# 46 MiB, one pass, one lane: the first of OWASP's equal choices (Password Storage Cheat Sheet),
# 51 ms of one core here. Hashes of other parameters are renewed when their user signs in.
HASHER = PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)

THREADS = 2
"""Hashes at once; bounds memory to twice 46 MiB and leaves cores to the rest of the mesh."""

MOST_WAITING = 20
"""Checks that may wait in line; the last of them waits half a second, far from the deadline of a
call. The line is open to everybody, so without a bound anybody could make it longer than that."""

MOST_WAITING_STRANGERS = 10
"""Where the line is full for callers who did not prove who they are: they cannot fill it for those
who come by the gateway, which limits each address."""

RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Checked:
    """Whether a password was right, and its hash under today's parameters if the kept one is of
    others."""

    right: bool
    renewed: str | None = None


class Passwords:
    """Hashes and checks passwords, at most `threads` at once; others wait in a line with a
    bound."""

    def __init__(self, hasher: PasswordHasher = HASHER, threads: int = THREADS) -> None:
        self._hasher = hasher
        self._threads = threads
        self._inside = 0
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="passwords")

    async def hash(self, password: str) -> str:
        """The hash to keep, in the PHC string format."""
        return await self._run(self._hash, password)

    async def check(self, kept: str | None, password: str, *, known: bool = True) -> Checked:
        """Checks against the kept hash. None, for nobody, takes the same work and is wrong.
        RateLimited if too many wait; `known` says that the caller proved who it is."""
        self.require_room(known=known)
        return await self._run(self._check, kept, password)

    def require_room(self, *, known: bool) -> None:
        """RateLimited if a check would be refused now."""
        most = MOST_WAITING if known else MOST_WAITING_STRANGERS
        if self._inside >= self._threads + most:
            raise RateLimited(
                Reason.REASON_SIGN_IN_RATE,
                "too many sign in right now; wait a moment and try again",
                retry_after=RETRY_SECONDS,
            )

    async def close(self) -> None:
        """Ends the threads; work that has not begun is dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        self._inside += 1
        try:
            return await loop.run_in_executor(self._executor, lambda: work(*args, **kwargs))
        finally:
            self._inside -= 1

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
