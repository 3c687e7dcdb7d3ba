"""Accounts and sessions as identity keeps them. Pure."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Account:
    """A person who may sign in."""

    id: str
    tenant_id: str
    name: str
    roles: tuple[str, ...]
    created_at: datetime
    password_hash: str = field(repr=False)


@dataclass(frozen=True)
class Tokens:
    """What a client holds of a session. Without a refresh token it ends with the access token."""

    access: str = field(repr=False)
    expires_at: datetime
    refresh: str = field(default="", repr=False)


@dataclass(frozen=True)
class SignedIn:
    """A session's tokens and whose they are."""

    tokens: Tokens
    account: Account
