"""The statements of memories."""

from pathlib import Path

from servers.runtime.postgres import Connection
from servers.runtime.queries import Queries

QUERIES = Queries(Path(__file__).with_name("queries.sql"))


async def lock_owners(connection: Connection, *owners: str) -> None:
    """Whoever writes memories of these owners, or for them, comes one after the other. Always in
    one order, so that nobody waits for who waits for them."""
    for owner in sorted(set(owners)):
        await connection.execute(QUERIES.lock_owner, owner)
