"""The statements of this server."""

from pathlib import Path

from servers.runtime.queries import Queries

QUERIES = Queries(Path(__file__).with_name("queries.sql"))
