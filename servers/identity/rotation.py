"""Rotation of refresh tokens: what a token is worth, by its generation.

Every refresh begins a new generation of its session; only tokens of the latest one refresh it. The
reasons, and those for the grace, are in docs/decisions/refresh-tokens.md. Pure.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

GRACE = timedelta(seconds=10)
"""Two tabs that refresh at once, or a retry after a lost answer, stay within it."""

_TOKEN = re.compile(r"(tenant_[0-9a-f]{32})\.[A-Za-z0-9_-]{43}")


class Verdict(Enum):
    """What is to be done about a refresh token."""

    ROTATE = auto()
    JOIN = auto()
    REUSED = auto()
    REVOKED = auto()
    EXPIRED = auto()


@dataclass(frozen=True)
class Presented:
    """A refresh token as it is found, with the state of its session."""

    session_id: str
    generation: int
    expires_at: datetime
    session_generation: int
    session_rotated_at: datetime
    session_ended_at: datetime | None


def judge(token: Presented, now: datetime) -> Verdict:
    """ROTATE begins a new generation, JOIN gives another token of the latest one."""
    if token.session_ended_at is not None:
        return Verdict.REVOKED
    if token.expires_at <= now:
        return Verdict.EXPIRED
    if token.generation == token.session_generation:
        return Verdict.ROTATE
    just_rotated = now - token.session_rotated_at < GRACE
    if just_rotated and token.generation == token.session_generation - 1:
        return Verdict.JOIN
    return Verdict.REUSED


def new_refresh_token(tenant_id: str) -> str:
    """A token of 256 random bits. The tenant stands before them, because row-level security wants
    to know it before anything can be looked up."""
    return f"{tenant_id}.{secrets.token_urlsafe(32)}"


def tenant_of(token: str) -> str | None:
    """The tenant that a token names; None if it is no refresh token."""
    match = _TOKEN.fullmatch(token)
    return match[1] if match else None


def digest(token: str) -> bytes:
    """What is stored of a token. It has 256 random bits, so a fast hash without salt will do."""
    return hashlib.sha256(token.encode()).digest()
