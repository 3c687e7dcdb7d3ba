"""Files: large ones up and down and the memory that takes, a PDF until it is found, pages read."""

import asyncio
import io
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import psutil
from PIL import Image, ImageDraw, ImageFont

from kari.chat_hub.v1.chat_hub_pb2 import (
    DeleteFileRequest,
    FollowFileRequest,
    GetFileRequest,
    SearchRequest,
)
from kari.conversation_models.v1.file_pb2 import File, FileState
from servers.file_attachment.parts import PART_BYTES
from servers.runtime.ids import new_id
from tests.eval.loading import Client
from tests.flow.files import Drawer
from tests.hook_enabled_file.samples import pdf
from tests.load.figures import Figures, least, most
from tests.load.file_clients import PIECE, Done, Job
from tests.load.measured import spread
from tests.load.run import settled
from tests.load.system import Provider, kari_running, program
from tests.load.usage import Watched, spent
from tests.running import Kari
from tests.socket_client import login

LIMITS = "[limits.everybody]\nmax_megabytes = 10000\nquota_megabytes = 100000\n"
SAMPLED_SECONDS = 0.2
LOOK_SECONDS = 0.02
HOOKS_SECONDS = 600.0
PAGES, LINES = 10, 40
SAID = "the ferry leaves the harbour at seven in the morning and comes back in the evening"

TARGETS = (
    least("up.mb_s", 200),
    least("up_grpc.mb_s", 200),
    least("down.mb_s", 200),
    least("down_range.mb_s", 200),
    most("up.grown_mb", 64),
    most("up_grpc.grown_mb", 64),
    most("down.grown_mb", 64),
    most("pdf_searchable_ms.p95", 3000),
    most("ocr_ms.p95", 5000),
)

Say = Callable[[str], None]


async def files(provider: Provider, pieces: int, times: int, say: Say) -> Figures:
    """Files of so many mebibytes up and down; so many PDFs and pages after them."""
    with tempfile.TemporaryDirectory() as folder:
        limits = Path(folder) / "files.toml"
        limits.write_text(LIMITS)
        disk = await asyncio.to_thread(disk_speed, Path(folder), pieces)
        async with (
            kari_running(provider, KARI_FILES_FILE=str(limits)) as kari,
            Client.of(kari) as client,
        ):
            bench = Filing(kari, client, await login(kari), say)
            # The first of everything starts processes and loads models.
            await bench.searchable(1)
            await settled(kari)
            moved = await bench.moved(pieces)
            searched = await bench.searchable(times)
            ocr = await bench.read_on_one_core(times)
    return {"mebibytes": pieces, "disk_mb_s": disk, **moved, **searched, **ocr}


class Filing:
    """A user's files in a running Kari."""

    def __init__(self, kari: Kari, client: Client, token: str, say: Say) -> None:
        self._kari = kari
        self._client = client
        self._token = token
        self._say = say

    async def moved(self, pieces: int) -> Figures:
        """Up over gRPC and by a form, down whole and in half. What came up first is deleted before
        the rest: memory that files never had before can cost a virtual machine more than its disk,
        and so each finds what was given back."""
        http, hub = self._kari.http, self._kari.address("chat_hub")
        first, over_grpc = await self._measured(Job("grpc", hub, self._token, pieces))
        await self._client.hub.DeleteFile(DeleteFileRequest(file_id=first.file))
        up, form = await self._measured(Job("form", http, self._token, pieces))
        _, down = await self._measured(Job("read", http, self._token, file=up.file))
        part = f"{up.size // 2}-"
        _, half = await self._measured(Job("read", http, self._token, file=up.file, range=part))
        return {"up": form, "up_grpc": over_grpc, "down": down, "down_range": half}

    async def searchable(self, times: int) -> Figures:
        """From the beginning of an upload until a word of the last page is found."""
        self._say(f"  {times} PDFs of {PAGES} pages")
        found, drawer = list[float](), Drawer(self._kari, self._token)
        for _ in range(times):
            word = new_id("word").replace("_", "")
            document = pdf([page(number, word) for number in range(1, PAGES + 1)])
            began = time.perf_counter()
            await self._found(word, await drawer.upload("pages.pdf", document))
            found.append(time.perf_counter() - began)
        return {"pdf_searchable_ms": spread(found)}

    async def read_on_one_core(self, times: int) -> Figures:
        """Pictures of a page: what reading them took, the whole way from upload, and CPU. Where
        others keep that core busy, CPU says what it would take without them."""
        self._say(f"  {times} pictures of a page, on one core")
        whole, reading, watched = list[float](), list[float](), Watched(self._kari, {})
        pin(self._kari, {min(os.sched_getaffinity(0))})
        before = watched.cpu()
        for number in range(times):
            took, file = await self._page_read(number)
            whole.append(took)
            reading.append(seconds_of(file, "text"))
        used = spent(before, watched.cpu())
        pin(self._kari, os.sched_getaffinity(0))
        cpu = {part: seconds / times for part, seconds in used.items()}
        return {"ocr_ms": spread(reading), "ocr_whole_ms": spread(whole), "ocr_cpu_s": cpu}

    async def _page_read(self, number: int) -> tuple[float, File]:
        picture = page_picture(number)
        began = time.perf_counter()
        taken = await Drawer(self._kari, self._token).upload("page.png", picture)
        file = await self._settled(taken.id)
        return time.perf_counter() - began, file

    async def _measured(self, job: Job) -> tuple[Done, Figures]:
        """A job of a client's process: its speed, Kari's CPU, and by how much Kari grew at most."""
        self._say(f"  {job.how} {job.range}")
        watched = Watched(self._kari, {})
        cpu = watched.cpu()
        async with growth(self._kari) as grown:
            done = await carried_out(job)
        used = spent(cpu, watched.cpu())
        if job.how != "read":
            await self._settled(done.file)
        megabytes = done.size / 1e6
        per_gb = {part: seconds / megabytes * 1000 for part, seconds in used.items()}
        return done, {
            "mb_s": megabytes / done.seconds,
            "grown_mb": max(grown.values()),
            "cpu_s_per_gb": per_gb,
        }

    async def _settled(self, file_id: str) -> File:
        """A file after its hooks. It is followed: who asks again and again takes their core."""
        file = File()
        async with asyncio.timeout(HOOKS_SECONDS):
            async for step in self._client.hub.FollowFile(FollowFileRequest(file_id=file_id)):
                file = step.file
        if file.state != FileState.FILE_STATE_READY:
            raise RuntimeError(f"a file was not let through: {file}")
        return file

    async def _found(self, word: str, file: File) -> None:
        async with asyncio.timeout(HOOKS_SECONDS):
            while True:
                found = await self._client.hub.Search(SearchRequest(query=word))
                if any(word in piece.chunk.text for piece in found.files):
                    return
                if file.state == FileState.FILE_STATE_REFUSED:
                    raise RuntimeError(f"a file was not let through: {file}")
                await asyncio.sleep(LOOK_SECONDS)
                file = (await self._client.hub.GetFile(GetFileRequest(file_id=file.id))).file


def seconds_of(file: File, hook: str) -> float:
    """How long a hook took."""
    report = next(report for report in file.reports if report.hook == hook)
    return report.duration.ToTimedelta().total_seconds()


async def carried_out(job: Job) -> Done:
    """Does a job in a process of its own."""
    async with program("tests.load.file_clients") as process:
        told, _ = await process.communicate(msgspec.json.encode(job) + b"\n")
    if not told:
        raise RuntimeError("the client's process ended without figures; what it said is above")
    return msgspec.json.decode(told, type=Done)


@asynccontextmanager
async def growth(kari: Kari) -> AsyncIterator[dict[str, float]]:
    """By how many megabytes (PSS) all processes of Kari are larger at most, inside the block, than
    before it. Looked at again and again: what lies between two looks is not seen."""
    before, found = await asyncio.to_thread(_pss, kari), {"most": 0.0}

    async def look() -> None:
        while True:
            await asyncio.sleep(SAMPLED_SECONDS)
            found["most"] = max(found["most"], await asyncio.to_thread(_pss, kari) - before)

    looking = asyncio.create_task(look())
    try:
        yield found
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


def _pss(kari: Kari) -> float:
    return sum(Watched(kari, {}).memory().values())


def pin(kari: Kari, cores: set[int]) -> None:
    """Has all threads of Kari, and what they start from now on, run on these cores alone."""
    for process in kari.processes():
        with suppress(psutil.NoSuchProcess):
            for thread in process.threads():
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(thread.id, cores)


def disk_speed(folder: Path, pieces: int) -> float:
    """Megabytes a second that the disk takes, in parts as Kari writes them, each flushed."""
    part, parts = os.urandom(PART_BYTES), max(pieces * PIECE // PART_BYTES, 1)
    began = time.perf_counter()
    for number in range(parts):
        with (folder / f"part-{number}").open("wb") as file:
            file.write(part)
            file.flush()
            os.fsync(file.fileno())
    seconds = time.perf_counter() - began
    for number in range(parts):
        (folder / f"part-{number}").unlink()
    return parts * PART_BYTES / 1e6 / seconds


def page(number: int, word: str) -> str:
    """The lines of a page as `pdf` takes them; a word of its own on the last page."""
    lines = [f"Page {number}, line {n}: {SAID}" for n in range(LINES)]
    if number == PAGES:
        lines.append(f"The captain is called {word}.")
    return ") Tj 0 -14 Td (".join(lines)


def page_picture(number: int) -> bytes:
    """A page of A4 at 150 dots an inch, full of text; no two alike."""
    picture = Image.new("L", (1240, 1754), "white")
    draw, font, out = ImageDraw.Draw(picture), ImageFont.load_default(26), io.BytesIO()
    for line in range(LINES):
        draw.text((100, 100 + 40 * line), f"{number}.{line} {SAID}", "black", font)
    picture.save(out, format="PNG")
    return out.getvalue()
