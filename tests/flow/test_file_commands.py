"""`kari files` against a running mesh."""

import json
import os
import secrets
from pathlib import Path

from cli.file_uploads import Wanted
from cli.mesh import connected
from kari.chat_hub.v1.chat_hub_pb2 import UploadFileEnd, UploadFileRequest, UploadFileStart
from tests.flow.conftest import Mesh
from tests.hook_enabled_file.samples import EICAR, pdf, picture
from tests.hosting import until


async def files(mesh: Mesh, *words: str) -> tuple[int, str]:
    """Exit code and output of `kari files`."""
    return await mesh.kari.command("files", *words)


async def uploaded(mesh: Mesh, path: Path, *words: str) -> str:
    """The id of a file that was taken in."""
    code, output = await files(mesh, "upload", str(path), *words)
    assert code == 0, output
    return next(word for word in output.split() if word.startswith("file_"))


async def test_a_file_goes_up_and_comes_down_and_away(mesh: Mesh, tmp_path: Path) -> None:
    """With what the hooks say of it; a name that leads elsewhere leads nowhere."""
    path = tmp_path / "..\\report.pdf"
    path.write_bytes(pdf(["The captain is called Halvorsen."]))
    file_id = await uploaded(mesh, path)
    code, output = await files(mesh, "list", "--json")
    listed = {file["id"]: file for file in json.loads(output)["files"]}
    assert (code, listed[file_id]["state"]) == (0, "FILE_STATE_READY")
    code, output = await files(mesh, "list")
    assert code == 0
    assert file_id in output
    assert "are used" in output
    below = tmp_path / "below"
    below.mkdir()
    code, output = await files(mesh, "download", file_id, str(below))
    assert code == 0, output
    (came,) = below.iterdir()
    assert came.read_bytes() == path.read_bytes()
    code, output = await files(mesh, "download", file_id, str(came))
    assert code == 1
    assert "--force" in output
    assert await files(mesh, "remove", file_id) == (0, f"removed {file_id}\n")
    code, output = await files(mesh, "download", file_id, str(below))
    assert (code, output) == (1, "there is no such file\n")


async def test_a_refused_file_is_exit_code_1(mesh: Mesh, tmp_path: Path) -> None:
    """It says which hook refused it, and why."""
    path = tmp_path / "notes.txt"
    path.write_bytes(EICAR)
    code, output = await files(mesh, "upload", str(path))
    assert code == 1
    assert "scan: refused: " in output
    # Though it has not changed: who tries again hopes that the rules have.
    code, again = await files(mesh, "upload", str(path))
    assert code == 1
    assert named(again) != named(output)
    code, told = await files(mesh, "download", named(again), str(tmp_path / "came.txt"))
    assert (code, "was refused" in told) == (1, True), told
    assert os.listdir(tmp_path) == [path.name]


def named(output: str) -> str:
    """The file that the output names."""
    return next(word for word in output.split() if word.startswith("file_"))


async def test_the_same_file_again_is_the_same_until_it_is_removed(
    mesh: Mesh, tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(f"The same words again: {secrets.token_hex(20)}.")
    first = await uploaded(mesh, path)
    assert await uploaded(mesh, path) == first
    assert (await files(mesh, "remove", first))[0] == 0
    assert await uploaded(mesh, path) != first


async def test_a_file_that_could_not_be_read_is_tried_anew(mesh: Mesh, tmp_path: Path) -> None:
    """It is ready, and was uploaded; what reads it may be there by now."""
    path = tmp_path / "broken.pdf"
    path.write_bytes(b"%PDF-1.7\n" + secrets.token_bytes(2000))
    code, output = await files(mesh, "upload", str(path))
    assert (code, "text: failed: " in output) == (0, True), output
    assert await uploaded(mesh, path) != named(output)


async def test_a_long_name_fits_into_the_folder(mesh: Mesh, tmp_path: Path) -> None:
    """File systems count bytes, of which most alphabets take several a letter."""
    path = tmp_path / "notes.txt"
    path.write_text(f"Words: {secrets.token_hex(20)}.")
    data = path.read_bytes()
    start = UploadFileStart(request_id=secrets.token_hex(8), name="\u0416" * 200 + ".txt")
    steps = [
        UploadFileRequest(start=start),
        UploadFileRequest(data=data),
        UploadFileRequest(end=UploadFileEnd()),
    ]
    async with connected(mesh.settings) as operator:
        await operator.sign_in("demo", "demo")
        file = (await operator.hub.UploadFile(iter(steps))).file
    below = tmp_path / "below"
    below.mkdir()
    code, output = await until(lambda: came_down(mesh, file.id, below))
    assert code == 0, output
    (came,) = below.iterdir()
    assert came.read_bytes() == data
    assert came.name.endswith("\u0416.txt")


async def came_down(mesh: Mesh, file_id: str, target: Path) -> tuple[int, str] | None:
    """What the command says of a download, once the file may be read."""
    code, output = await files(mesh, "download", file_id, str(target))
    return None if code and "still being looked at" in output else (code, output)


async def test_metadata_is_taken_out_of_a_file(mesh: Mesh, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(picture("JPEG", exif=True))
    file_id = await uploaded(mesh, path, "--strip-metadata")
    code, output = await files(mesh, "download", file_id, str(tmp_path / "clean.jpg"))
    assert code == 0, output
    clean = (tmp_path / "clean.jpg").read_bytes()
    assert b"Secret" in path.read_bytes()
    assert b"Secret" not in clean


async def test_what_was_broken_off_goes_on(mesh: Mesh, tmp_path: Path) -> None:
    """Up and down: what has come is not sent again, and nothing is missing."""
    data = bytes(range(256)) * 10_000
    path = tmp_path / "large.bin"
    path.write_bytes(data)
    await broken_off(mesh, path, data[:1_000_000])
    file_id = await uploaded(mesh, path)
    part = tmp_path / f".{file_id}.part"
    part.write_bytes(data[:500_000])
    code, output = await files(mesh, "download", file_id, str(tmp_path / "came.bin"))
    assert code == 0, output
    assert (tmp_path / "came.bin").read_bytes() == data
    assert not part.exists()
    part.write_bytes(bytes(500_000))
    code, output = await files(mesh, "download", file_id, str(tmp_path / "again.bin"))
    assert code == 1
    assert "download it again" in output


async def test_a_file_goes_to_a_pipe(mesh: Mesh, tmp_path: Path) -> None:
    """The exit code says whether it came as it was kept."""
    path = tmp_path / "notes.txt"
    path.write_text(f"For whoever reads on: {secrets.token_hex(20)}.")
    file_id = await uploaded(mesh, path)
    assert await files(mesh, "download", file_id, "-") == (0, path.read_text())
    objects = [each for each in (mesh.kari.data / "objects").rglob("*") if each.is_file()]
    (kept,) = (each for each in objects if each.read_bytes() == path.read_bytes())
    kept.write_text(path.read_text().upper())
    code, output = await files(mesh, "download", file_id, "-")
    assert code == 1
    assert "download it again" in output


async def broken_off(mesh: Mesh, path: Path, data: bytes) -> None:
    """The beginning of an upload, as the command sends it."""
    start = Wanted(path).start(0)
    steps = [
        UploadFileRequest(start=start),
        UploadFileRequest(data=data),
        UploadFileRequest(end=UploadFileEnd(partial=True)),
    ]
    async with connected(mesh.settings) as operator:
        await operator.sign_in("demo", "demo")
        response = await operator.hub.UploadFile(iter(steps))
    assert response.received_bytes == len(data)


async def test_a_file_goes_with_a_message_of_the_terminal(mesh: Mesh, tmp_path: Path) -> None:
    """Its text is before the model; with one that is refused nothing is sent."""
    report, virus = tmp_path / "report.pdf", tmp_path / "virus.txt"
    report.write_bytes(pdf(["The captain is called Halvorsen."]))
    virus.write_bytes(EICAR)
    asked = "--once", "Who is the captain of the report?"
    code, output = await mesh.kari.command("chat", *asked, "--file", str(report))
    assert code == 0, output
    assert "Halvorsen" in str(mesh.upstream.requests[-1])
    code, output = await mesh.kari.command(
        "chat", *asked, "--file", str(report), "--file", str(virus)
    )
    assert code == 1
    assert "scan: refused: " in output
