"""`kari token`: an access token for scripts."""

import asyncio
import sys

import grpc

from cli.mesh import NotRunning, connected
from servers.runtime.errors import from_rpc
from servers.runtime.settings import read_settings


def run(user: str, tenant: str) -> int:
    """Prints the token; gives the exit code."""
    try:
        print(asyncio.run(_token(user, tenant)))
    except NotRunning as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except grpc.aio.AioRpcError as error:
        sys.stderr.write(f"{from_rpc(error).message}\n")
        return 1
    return 0


async def _token(user: str, tenant: str) -> str:
    async with connected(read_settings()) as mesh:
        return (await mesh.sign_in(user, tenant)).tokens.access_token
