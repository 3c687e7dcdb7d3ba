"""Who PostgreSQL runs as."""

import os
import pwd
from dataclasses import dataclass

from embedded.errors import StartError


@dataclass(frozen=True)
class Account:
    """A user that a child becomes before it runs."""

    uid: int
    gid: int


def postgres_account() -> Account | None:
    """None: as we are. PostgreSQL refuses root, so as root it runs as `nobody`."""
    if os.geteuid() != 0:
        _require_name(os.geteuid())
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise StartError(
            "PostgreSQL does not run as root, and this machine has no user `nobody`.",
            "Run Kari as an ordinary user, or give a server of yours: KARI_POSTGRES_URL=...",
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def _require_name(uid: int) -> None:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise StartError(
            f"User id {uid} has no name in /etc/passwd, and PostgreSQL's initdb asks for one.",
            "Run Kari as a user with a name, or give a server of yours: KARI_POSTGRES_URL=...",
        ) from None
