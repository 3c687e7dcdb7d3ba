"""Brings the schemas of the servers up to this version: plain SQL files, run by dbmate."""

import asyncio
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from embedded.errors import StartError
from embedded.progress import announced
from servers.runtime.settings import read_settings

MIGRATIONS = Path(__file__).parent.parent / "deploy" / "migrations"
RECORD = "kari.schema_migrations"
_RECORDED = f"SELECT version FROM {RECORD}"  # noqa: S608  # a constant
_ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
_STARTING = (OSError, TimeoutError, asyncpg.CannotConnectNowError)
_RETRY_SECONDS = 0.2

Progress = Callable[[str], None]


def run() -> int:
    """Migrates the database of the settings; gives the exit code."""
    url = read_settings().postgres_url
    if url is None:
        sys.stderr.write("KARI_POSTGRES_URL is not set; `kari up` migrates the embedded store.\n")
        return 2
    try:
        asyncio.run(migrate(url.get_secret_value(), print))
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def migrate(
    url: str, progress: Progress, *, folder: Path = MIGRATIONS, wait_seconds: float = 60.0
) -> None:
    """Runs the migrations of `folder` that the database has not seen, waiting for the server first.

    Safe to run by several processes at once: dbmate holds an advisory lock. Raises StartError,
    whose text never holds the password, if the server does not answer, a migration fails, or the
    database was written by a newer version.
    """
    known = _versions(folder)
    with announced(progress, "postgres: waiting for the server ..."):
        recorded, encrypted = await _state(url, wait_seconds)
    if recorded - known:
        raise StartError(
            f"The database was written by a newer Kari: it has migration {max(recorded - known)}, "
            f"this one knows up to {max(known, default='none')}.",
            "Start the newer version, or restore a backup from before it.",
        )
    if known - recorded:
        with announced(progress, f"postgres: running {len(known - recorded)} migrations ..."):
            await _dbmate(_for_dbmate(url, encrypted), folder)


def _versions(folder: Path) -> frozenset[str]:
    return frozenset(file.name.partition("_")[0] for file in folder.glob("*.sql"))


async def _state(url: str, wait_seconds: float) -> tuple[frozenset[str], bool]:
    """Versions that the database has recorded, and whether the connection is encrypted."""
    connection = await _connect(url, wait_seconds)
    try:
        rows = await connection.fetch(_RECORDED)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        rows = []
    finally:
        encrypted = bool(await connection.fetchval(_ENCRYPTED))
        await connection.close()
    return frozenset(row["version"] for row in rows), encrypted


async def _connect(url: str, wait_seconds: float) -> asyncpg.Connection:
    deadline = asyncio.get_running_loop().time() + wait_seconds
    while True:
        try:
            return await asyncpg.connect(url, timeout=5)
        except _STARTING as error:
            if asyncio.get_running_loop().time() > deadline:
                raise _unreachable(url, f"does not answer ({type(error).__name__})") from None
        except (asyncpg.PostgresError, asyncpg.ClientConfigurationError, ValueError) as error:
            raise _unreachable(url, f"refuses: {_without_secrets(str(error), url)}") from None
        await asyncio.sleep(_RETRY_SECONDS)


def _unreachable(url: str, what: str) -> StartError:
    parts = urlsplit(url)
    return StartError(
        f"PostgreSQL at {parts.hostname}:{_port(url)} {what}.",
        "Check KARI_POSTGRES_URL and that the server runs.",
    )


def _port(url: str) -> int:
    try:
        return urlsplit(url).port or 5432
    except ValueError:
        return 5432


async def _dbmate(url: str, folder: Path) -> None:
    """The URL goes by the environment: arguments can be read by every user of the machine."""
    process = await asyncio.create_subprocess_exec(
        _program(),
        *("--migrations-dir", str(folder), "--migrations-table", RECORD),
        *("--no-dump-schema", "--migration-lock", "migrate"),
        env={"DATABASE_URL": url},
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    if process.returncode:
        lines = _without_secrets(said.decode(errors="replace"), url).strip()
        raise StartError(
            f"A migration failed: {lines.rpartition('Error: ')[2].strip()}",
            "The database is as it was before that migration; nothing of it was kept.",
            lines,
        )


def _program() -> str:
    found = shutil.which("dbmate", path=str(Path(sys.executable).parent)) or shutil.which("dbmate")
    if found is None:
        raise StartError(
            "dbmate is not installed.",
            "Run `make run`, or install dbmate and put it on the PATH.",
        )
    return found


def _for_dbmate(url: str, encrypted: bool) -> str:
    """The same URL for dbmate, which asks for TLS unless told not to, where asyncpg tries both."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    query.setdefault("sslmode", "require" if encrypted else "disable")
    if query["sslmode"] in ("prefer", "allow"):
        query["sslmode"] = "require" if encrypted else "disable"
    return urlunsplit(parts._replace(query=urlencode(query)))


def _without_secrets(text: str, url: str) -> str:
    password = urlsplit(url).password
    for secret in (url, password):
        text = text.replace(secret, "***") if secret else text
    return text
