"""Why a connection to an MCP server could not go on, in words for people."""

from collections.abc import Iterator

from servers.tool_integration.mcp.configuration import McpServerEntry
from servers.tool_integration.mcp.connection import Misbehaved
from servers.tool_integration.mcp.ending import Ending


def verdict(error: BaseException, ending: Ending, entry: McpServerEntry) -> tuple[str, str]:
    """A word for metrics, and the rest of "the server ..."."""
    found = list(_causes(error))
    causes = {type(cause).__name__ for cause in found}
    if ending.why:
        return ending.how, ending.why
    if ending.detail in ("HTTP status 401", "HTTP status 403"):
        return "refused", f"refuses us ({ending.detail}); see `headers_env` of its entry"
    if causes & {"FileNotFoundError", "NotADirectoryError", "PermissionError"}:
        return "missing", f"cannot be started: see `command` and `folder` ({entry.command})"
    if "TimeoutError" in causes:
        return "silent", f"does not answer within its time ({entry.start_timeout:g} s to start)"
    if causes & {"ConnectError", "ConnectTimeout", "ConnectionError"}:
        return "unreachable", "cannot be reached at its `url`"
    if "MCPError" in causes or "TransportError" in causes:
        said = f" ({ending.detail})" if ending.detail else ""
        return "closed", f"closed the connection or refused it{said}"
    said = next((str(cause) for cause in found if isinstance(cause, Misbehaved)), "")
    return "rubbish", f"is not understood: {said or 'it answers what is not MCP'}"


def names_of(error: BaseException) -> str:
    """The kinds of errors behind one, for the log."""
    return " ".join(sorted({type(cause).__name__ for cause in _causes(error)}))


def _causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _causes(each)
    else:
        yield error
