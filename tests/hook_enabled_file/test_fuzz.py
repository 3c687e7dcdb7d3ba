"""Truncated and mutated files of every kind: the worst they do is to end their own job."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from servers.hook_enabled_file.kinds import OFFICE, PDF, SHEET, SLIDES, WORD
from servers.hook_enabled_file.rooms import MODULES, READING
from servers.runtime.limited import BytesSource, JobFailed, Limits, Room
from tests.hook_enabled_file import samples
from tests.hook_enabled_file.fuzzing import mutants, repacked

FUZZING = "tests.hook_enabled_file.fuzzing"
EACH, TOGETHER = 130, 26
LIMITS = Limits(seconds=60, cpu_seconds=30, memory_bytes=768_000_000)
KINDS = {
    PDF: samples.pdf(["One page", "another one"], info="T", extra="/OpenAction 4 0 R"),
    WORD: samples.word("Some words", "and more"),
    SHEET: samples.workbook({"S": [["a", 1], ["b", 2]]}),
    SLIDES: samples.slides("One"),
    "text/html": samples.HTML,
    "message/rfc822": samples.mail(),
    "text/plain": "Grüße\n\naus Köln".encode() * 20,
    "image/jpeg": samples.picture("JPEG", exif=True),
    "application/zip": samples.nested(2, samples.tarred({"a": b"123"}, "w:gz")),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fuzzing() -> AsyncIterator[Room]:
    """A room whose jobs take many samples each."""
    opened = Room("fuzzing", [*MODULES, FUZZING], most=2)
    yield opened
    await opened.close()


@pytest.mark.parametrize("content_type", KINDS, ids=lambda kind: kind.rpartition(".")[2])
async def test_no_sample_does_more_than_end_its_job(fuzzing: Room, content_type: str) -> None:
    """Each has an outcome: read, unreadable, broken, or the job's end; more than a thousand in
    all. The room is as good as new then."""
    sample = KINDS[content_type]
    found = list(mutants(sample, EACH, seed=6))
    if content_type in OFFICE:  # deeper in: most mutated packings are told by their checksums
        found = [*found[: EACH // 2], *repacked(sample, EACH // 2, seed=6)]
    groups = [found[at : at + TOGETHER] for at in range(0, EACH, TOGETHER)]
    outcomes = Counter[str]()
    for told in await asyncio.gather(
        *(_outcomes(fuzzing, group, content_type) for group in groups)
    ):
        outcomes.update(told)
    assert outcomes.total() == EACH
    assert not [outcome for outcome in outcomes if "memory" in outcome], outcomes
    ended = sum(count for outcome, count in outcomes.items() if outcome.startswith("job:"))
    assert ended <= EACH // 10, outcomes
    document = json.dumps({"content_type": PDF}).encode()
    whole = BytesSource(samples.pdf(["still here"]))
    assert b"still here" in await fuzzing.whole(f"{READING}.documents:read", whole, document)


async def _outcomes(room: Room, group: list[bytes], content_type: str) -> list[str]:
    """What became of each sample. One that ends the job is told by that; the rest goes on in the
    next job."""
    told: list[str] = []
    while group:
        request = {"sizes": [len(data) for data in group], "content_type": content_type}
        source = BytesSource(b"".join(group))
        job = room.run(f"{FUZZING}:many", source, json.dumps(request).encode(), LIMITS)
        before = len(told)
        try:
            async for piece in job:
                told.append(piece.decode())
        except JobFailed as failed:
            told.append(f"job:{failed.why}")
        group = group[len(told) - before :]
    return told
