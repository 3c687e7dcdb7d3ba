"""Who touches the disk: what users bring lies with file_attachment, and nobody else writes."""

import ast
from pathlib import Path

import pytest

from servers import topology
from tests.running import ROOT

WRITERS = {
    "file_attachment": "the store of files",
    "capsules": "capsules from outside, in folders of their own",
    "code_execution": "boxes of programs",
}
WRITING = {"mkdir", "rename", "rmtree", "unlink", "write_bytes", "write_text", "mkdtemp"}
SERVERS = [node.name for node in topology.SERVERS]


@pytest.mark.parametrize("server", [name for name in SERVERS if name not in WRITERS])
def test_no_other_server_writes_files(server: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / "servers" / server).rglob("*.py"))
        for line in written(path)
    ]
    assert not found


def test_objects_of_files_are_known_to_file_attachment_alone() -> None:
    users = [
        path.relative_to(ROOT).parts[1]
        for path in (ROOT / "servers").rglob("*.py")
        if "obstore" in path.read_text()
    ]
    assert set(users) == {"file_attachment"}


def written(path: Path) -> list[int]:
    """Lines in which a file writes to the disk."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _writes(node)
    ]


def _writes(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(attr=name) if name in WRITING:
            return True
        case ast.Attribute(value=ast.Name(id="av")):  # FFmpeg, which is given memory to write to
            return False
        case ast.Name(id="open") | ast.Attribute(attr="open"):
            modes = [*call.args[1:], *(word.value for word in call.keywords if word.arg == "mode")]
            return any(
                isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax+")
                for mode in modes
            )
    return False
