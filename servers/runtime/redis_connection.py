"""Connections to Redis that never lose a cancellation.

redis-py bounds a write by `asyncio.wait_for`. Before Python 3.12 that drops a cancellation which
comes in the step in which the write is done (python/cpython#86296): a call whose client has gone
then goes on for ever. Here `asyncio.timeout` bounds it, which also spares a task for each command.
"""

import asyncio
from collections.abc import Iterable

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection
from redis.asyncio.connection import UnixDomainSocketConnection as UnixConnection
from redis.exceptions import ConnectionError as Broken
from redis.exceptions import TimeoutError as TooSlow


class _Writing(AbstractConnection):
    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        """Connects if need be and writes; a write that fails closes the connection, for nobody
        knows how much of the command has left."""
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command(_lines(command))
        except BaseException as error:
            await self.disconnect(nowait=True)
            if isinstance(error, TimeoutError):
                raise TooSlow("a command could not be written in time") from error
            if isinstance(error, OSError):
                raise Broken(f"a command could not be written: {error}") from error
            raise


class _Plain(_Writing, Connection):
    pass


class _Tls(_Writing, SSLConnection):
    pass


class _Unix(_Writing, UnixConnection):
    pass


OURS: dict[type[AbstractConnection], type[AbstractConnection]] = {
    Connection: _Plain,
    SSLConnection: _Tls,
    UnixConnection: _Unix,
}
"""By the class of redis-py that a URL asks for."""


def _lines(command: bytes | str | Iterable[bytes]) -> Iterable[bytes]:
    raw = command.encode() if isinstance(command, str) else command
    return [raw] if isinstance(raw, bytes) else raw
