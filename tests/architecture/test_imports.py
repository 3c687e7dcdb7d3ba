"""Who may import whom, read from the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers import topology

ROOT = Path(__file__).parents[2]
DRIVERS = {"grpc", "asyncpg", "redis", "pymilvus", "aiohttp", "websockets", "starlette", "asyncio"}
SHARED_NOUNS = {"conversation_models", "errors", "policy"}
COMPOSITION = "servers/composition"
"""The one composition root; beside it only `servers/__main__.py` may import it."""


def sources(*folders: str) -> list[Path]:
    return [p for folder in folders for p in sorted((ROOT / folder).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """Full names of modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("server", [n.name for n in topology.SERVERS])
def test_a_server_imports_no_other_server(server: str) -> None:
    """Peers are reached through their contracts."""
    others = {f"servers.{n.name}" for n in topology.SERVERS if n.name != server}
    for path in sources(f"servers/{server}"):
        found = {i for i in imports(path) if any(i == o or i.startswith(o + ".") for o in others)}
        assert not found, f"{name_of(path)} imports {found}"


@pytest.mark.parametrize("server", [n.name for n in topology.SERVERS])
def test_a_server_uses_the_contracts_of_its_arrows_only(server: str) -> None:
    """A stub without an arrow in the topology is a shortcut."""
    allowed = {server, *topology.NODES[server].calls, *SHARED_NOUNS}
    for path in sources(f"servers/{server}"):
        found = {i.split(".")[1] for i in imports(path) if i.startswith("kari.")}
        assert found <= allowed, f"{name_of(path)} uses {found - allowed}"


def test_the_gateway_imports_no_server() -> None:
    """It knows the hub's and identity's contracts, and the runtime."""
    names = {n.name for n in topology.SERVERS}
    contracts = {"edge", *topology.GATEWAY.calls, *SHARED_NOUNS}
    for path in sources("gateway"):
        for module in imports(path):
            parts = module.split(".")
            assert not (parts[0] == "servers" and parts[1:2] and parts[1] in names), name_of(path)
            assert parts[0] != "kari" or parts[1] in contracts, f"{name_of(path)}: {module}"


def test_the_runtime_knows_no_server() -> None:
    """Neither their code nor their contracts."""
    for path in sources("servers/runtime"):
        contracts = {i.split(".")[1] for i in imports(path) if i.startswith("kari.")}
        assert contracts <= SHARED_NOUNS, f"{name_of(path)} uses {contracts}"
        servers = {i for i in imports(path) if i.startswith("servers.")}
        assert all(i.startswith("servers.runtime") for i in servers), name_of(path)


def test_the_wiring_is_imported_by_main_alone() -> None:
    """One composition root."""
    for path in sources("servers", "gateway", "cli", "embedded"):
        if name_of(path) != "servers/__main__.py" and not name_of(path).startswith(COMPOSITION):
            found = {i for i in imports(path) if i.startswith("servers.composition")}
            assert not found, name_of(path)


@pytest.mark.parametrize("server", [n.name for n in topology.SERVERS])
def test_a_server_is_put_together_by_itself(server: str) -> None:
    """So that its process imports no other, and gets stubs of its arrows only."""
    path = ROOT / COMPOSITION / f"{server}.py"
    allowed = {server, *topology.NODES[server].calls}
    found = {i.split(".")[1] for i in imports(path) if i.startswith("kari.")}
    assert found <= allowed, f"uses {found - allowed}"
    others = {n.name for n in topology.SERVERS if n.name != server}
    found = {i.split(".")[1] for i in imports(path) if i.startswith("servers.")}
    assert not found & others, f"imports {found & others}"


def test_the_environment_is_read_in_one_file() -> None:
    """Everybody else takes settings."""
    readers = {
        name_of(path)
        for path in sources("servers", "gateway", "cli", "embedded")
        if any(f"os.{word}" in path.read_text() for word in ("environ", "getenv"))
    }
    assert readers == {"servers/runtime/settings.py"}


def is_pure(path: Path) -> bool:
    """A file that says so: its docstring ends in `Pure.`"""
    return (ast.get_docstring(ast.parse(path.read_text())) or "").rstrip().endswith("Pure.")


def test_pure_files_are_pure() -> None:
    """No driver, no coroutine, no clock of their own."""
    pure = [path for path in sources("servers", "gateway") if is_pure(path)]
    assert len(pure) > 10
    for path in pure:
        found = {i.split(".")[0] for i in imports(path)} & (DRIVERS | {"time", "random"})
        assert not found, f"{name_of(path)} imports {found}"
        tree = ast.walk(ast.parse(path.read_text()))
        assert not [n for n in tree if isinstance(n, ast.AsyncFunctionDef)], name_of(path)


def test_no_file_is_named_after_nothing() -> None:
    """Names say what is inside."""
    banned = {"utils", "helpers", "common", "misc", "manager", "base"}
    found = [
        name_of(p) for p in sources("servers", "gateway", "cli", "embedded") if p.stem in banned
    ]
    assert not found
