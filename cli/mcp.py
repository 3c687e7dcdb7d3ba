"""`kari mcp`: the tools of the mesh as an MCP server."""

import asyncio
import ipaddress
import secrets
import sys
from contextlib import suppress
from pathlib import Path

import grpc
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from cli.mcp_calls import Calls
from cli.mcp_server import KariTools
from cli.mesh import NotRunning, connected
from servers.runtime import private_files
from servers.runtime.errors import from_rpc
from servers.runtime.settings import Settings, read_settings
from servers.runtime.telemetry import configure_logging

SHORTEST_TOKEN = 16
TOKEN_FILE = "mcp-token"  # noqa: S105  # its name, not its content


def run(user: str, tenant: str, *, approve: bool, http: str | None) -> int:
    """Serves until the input ends, or until a signal when over HTTP; gives the exit code. The
    standard output is the client's: whatever we have to say goes to the standard error."""
    configure_logging("warning")
    try:
        asyncio.run(_run(read_settings(), user, tenant, approve=approve, http=http))
    except (NotRunning, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except grpc.aio.AioRpcError as error:
        sys.stderr.write(f"{from_rpc(error).message}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def _run(
    settings: Settings, user: str, tenant: str, *, approve: bool, http: str | None
) -> None:
    async with connected(settings) as mesh:
        calls = Calls(mesh, user, tenant)
        # Says at once that there is no such user, or no mesh.
        await calls.tools()
        server = KariTools(calls, approve=approve).server()
        if http is None:
            async with stdio_server() as (read, write):
                await server.run(read, write, server.create_initialization_options())
        else:
            await _serve(server, *_address(http), settings.data / TOKEN_FILE)


async def _serve(server: "Server[dict[str, object]]", host: str, port: int, file: Path) -> None:
    app = Guarded(server.streamable_http_app(host=host), _token(file))
    config = uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/mcp"
    sys.stderr.write(f"{url}  header `Authorization: Bearer TOKEN`, the token is in {file}\n")
    if not _loopback(host):
        sys.stderr.write("others can reach this address: put TLS in front of it\n")
    sys.stderr.flush()
    await uvicorn.Server(config).serve()


def _token(file: Path) -> str:
    """The token of the data folder, which is made the first time."""
    private_files.create(file, f"{secrets.token_urlsafe(32)}\n".encode())
    token = file.read_text().strip()
    if len(token) < SHORTEST_TOKEN:
        raise NotRunning(f"{file} holds no token; remove it, and start anew for another one")
    return token


class Guarded:
    """Lets nobody through to an application who does not know the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, or refuses it with status 401."""
        if scope["type"] == "http" and not self._knows(Headers(scope=scope)):
            refusal = PlainTextResponse(
                "a bearer token is needed: `kari mcp` says where it is\n",
                status_code=401,
                headers={"www-authenticate": "Bearer"},
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _knows(self, headers: Headers) -> bool:
        given = headers.get("authorization", "").encode()
        return secrets.compare_digest(given, self._expected)


def _address(http: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `PORT`; the host is 127.0.0.1 unless given."""
    host, _, port = http.rpartition(":")
    with suppress(ValueError):
        if 0 < int(port) < 65_536:
            return host.strip("[]") or "127.0.0.1", int(port)
    raise NotRunning(f"--http {http}: give it HOST:PORT or PORT, such as 127.0.0.1:8765")


def _loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
