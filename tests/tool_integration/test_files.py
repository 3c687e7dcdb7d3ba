"""Tools that read files: their text in order, and their bytes for programs; on real stores."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from embedded.stores import EmbeddedStores
from kari.code_execution.v1.code_execution_pb2 import RunOutcome, RunResponse
from kari.conversation_models.v1.file_pb2 import Anchor, SheetRow, TextChunk
from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1.file_attachment_pb2 import AttachFilesRequest
from servers.runtime.ids import new_id
from servers.tool_integration.built_in.given_files import folder_names
from tests.conversation_search.library import Library
from tests.file_attachment.attachment import Attachment
from tests.hosting import Somebody, hosting, settings_for
from tests.production_memory.filed import indexed, shared
from tests.tool_integration.bench import Bench
from tests.tool_integration.scripted_peers import ScriptedCode

ROLES = frozenset({"chat.user", "chat.tools.code"})
SERVERS = (
    *("tool_integration", "audit", "conversation_search", "production_memory"),
    *("conversation_manager", "file_attachment"),
)


@dataclass
class Office:
    """A bench with files beside it, and code that is run by a script."""

    bench: Bench
    code: ScriptedCode

    async def indexed(self, *texts: str, **fields: Any) -> str:
        with self.bench.somebody.acts(self.bench.wiring):
            return await indexed(self.bench.wiring, *texts, **fields)

    async def conversation(self) -> str:
        with self.bench.somebody.acts(self.bench.wiring):
            return await Library(self.bench.wiring, self.bench.somebody).conversation()

    async def uploaded(self, data: bytes, name: str, *, into: str = "") -> str:
        with self.bench.somebody.acts(self.bench.wiring):
            files = Attachment(self.bench.wiring, self.bench.somebody)
            file_id = (await files.ready(data, name)).id
            if into:
                await files.stub.AttachFiles(
                    AttachFilesRequest(
                        file_ids=[file_id], conversation_id=into, message_id=new_id("msg")
                    )
                )
        return file_id

    def another(self, **changes: Any) -> "Office":
        return Office(Bench(self.bench.wiring, Somebody(roles=ROLES, **changes)), self.code)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def building(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    code = ScriptedCode()
    code.answer = RunResponse(outcome=RunOutcome.RUN_OUTCOME_DONE)
    settings = settings_for(stores, tmp_path_factory.mktemp("tool_files"))
    async with hosting(settings, *SERVERS, others=[code.hosted()]) as wiring:
        yield Office(Bench(wiring), code)


@pytest_asyncio.fixture
async def office(building: Office) -> Office:
    building.code.asked.clear()
    return building.another()


async def test_a_file_is_read_in_order_with_its_places(office: Office) -> None:
    file_id = await office.indexed("one", "two", "three", name="report.pdf")
    told = await office.bench.value("file.read", file="report.pdf", passages=2)
    assert told == {
        "file_id": file_id,
        "name": "report.pdf",
        "passages": [
            {"passage": 0, "page": 1, "text": "one"},
            {"passage": 1, "page": 2, "text": "two"},
        ],
        "of": 3,
        "next_passage": 2,
    }
    rest = await office.bench.value("file.read", file=file_id, from_passage=2)
    assert [each["text"] for each in rest["passages"]] == ["three"]
    assert "next_passage" not in rest


async def test_certain_pages_are_read(office: Office) -> None:
    await office.indexed(*(f"page {n}" for n in range(1, 31)), name="Book.pdf")
    told = await office.bench.value("file.read", file="book", first_page=12, last_page=13)
    assert [each["text"] for each in told["passages"]] == ["page 12", "page 13"]
    assert "next_passage" not in told
    more = await office.bench.value("file.read", file="book", first_page=12, passages=2)
    assert more["next_passage"] == 13
    beyond = await office.bench.value("file.read", file="book", first_page=99)
    assert beyond["passages"] == []


async def test_places_of_all_kinds_are_told(office: Office) -> None:
    anchors = [Anchor(line=3), Anchor(row=SheetRow(sheet="Costs", row=2)), Anchor()]
    chunks = [TextChunk(index=at, text="x", anchor=each) for at, each in enumerate(anchors)]
    chunks[2].anchor.time.FromMilliseconds(1500)
    await office.indexed(name="mixed", chunks=chunks)
    told = await office.bench.value("file.read", file="mixed")
    assert told["passages"] == [
        {"passage": 0, "line": 3, "text": "x"},
        {"passage": 1, "sheet": "Costs", "row": 2, "text": "x"},
        {"passage": 2, "seconds": 1.5, "text": "x"},
    ]


async def test_a_name_means_the_file_of_the_conversation_first(office: Office) -> None:
    conversation = await office.conversation()
    await office.indexed("of the conversation", name="notes.txt", conversation_id=conversation)
    await office.indexed("another one, later", name="notes.txt")
    here = {"conversation_id": conversation}
    told = await office.bench.call("file.read", {"file": "notes.txt"}, **here)
    assert "of the conversation" in told.result_json
    assert "another one" in (await office.bench.call("file.read", {"file": "notes"})).result_json


async def test_a_file_that_may_not_be_found_is_not_read(office: Office) -> None:
    """By name or id, by others of the tenant or of another; whatever they share."""
    conversation = await office.conversation()
    file_id = await office.indexed("secret", name="diary.txt", conversation_id=conversation)
    tenant_id = office.bench.somebody.tenant_id
    for stranger in (office.another(tenant_id=tenant_id), office.another()):
        with stranger.bench.somebody.acts(stranger.bench.wiring):
            await shared(stranger.bench.wiring, conversation, file_id)
        for file in ("diary.txt", file_id):
            result = await stranger.bench.call(
                "file.read", {"file": file}, conversation_id=conversation
            )
            assert not result.success
            assert result.error.reason == Reason.REASON_FILE_NOT_FOUND
            assert "secret" not in str(result)


async def test_a_program_is_given_files_by_name_and_id(office: Office) -> None:
    conversation = await office.conversation()
    await office.uploaded(b"a,b\n1,2\n", "Umsätze 2024.csv", into=conversation)
    by_id = await office.uploaded(b"plain text, more of it\n", "notes.txt")
    given = {"code": "1", "runner": "cpython", "files": ["umsätze 2024.csv", by_id]}
    result = await office.bench.call("code.run", given, conversation_id=conversation)
    assert result.success, result
    (asked,) = office.code.asked
    assert [(file.name, file.content) for file in asked.files] == [
        ("Ums_tze 2024.csv", b"a,b\n1,2\n"),
        ("notes.txt", b"plain text, more of it\n"),
    ]
    assert '"given":["Ums_tze 2024.csv","notes.txt"]' in result.result_json


async def test_a_program_is_given_no_file_of_others(office: Office) -> None:
    file_id = await office.uploaded(b"secret words, many of them\n", "secret.txt")
    stranger = office.another(tenant_id=office.bench.somebody.tenant_id)
    for file in (file_id, "secret.txt"):
        result = await stranger.bench.call("code.run", {"code": "1", "files": [file]})
        assert result.error.reason == Reason.REASON_FILE_NOT_FOUND
    assert not office.code.asked


async def test_a_file_that_is_too_large_for_a_program_is_refused(office: Office) -> None:
    file_id = await office.uploaded(b"x,y\n" * 600_000, "large.csv")
    result = await office.bench.call("code.run", {"code": "1", "files": [file_id]})
    assert result.error.reason == Reason.REASON_TOOL_ARGUMENTS
    assert "read its text with file.read" in result.error.message
    assert not office.code.asked


def test_names_of_files_fit_a_folder_and_are_told_apart() -> None:
    names = ["a.txt", "a.txt", "../../etc/passwd", ".hidden", "日本.pdf", "", "x" * 200 + ".csv"]
    given = folder_names(names)
    assert given[:5] == ["a.txt", "a_2.txt", "_.._etc_passwd", "hidden", "__.pdf"]
    assert len(set(given)) == len(names)
    assert all(0 < len(name) <= 100 and name[0] not in ". -" for name in given)
