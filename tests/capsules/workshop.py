"""The capsules server in the hands of a new user, and folders of capsules to put things into."""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from kari.audit.v1.audit_pb2 import ListRecordsRequest
from kari.audit.v1.audit_pb2_grpc import AuditServiceStub
from kari.capsules.v1.capsules_pb2 import (
    Capsule,
    CapsuleResult,
    ExecuteRequest,
    ListCapsulesRequest,
    ListRunsRequest,
    Run,
)
from kari.capsules.v1.capsules_pb2_grpc import CapsulesServiceStub
from kari.conversation_models.v1.audit_pb2 import AuditEntry, AuditOutcome
from kari.conversation_models.v1.tool_pb2 import ToolProgress
from servers.runtime.channels import Channels
from servers.runtime.ids import new_id
from servers.runtime.mesh_key import OPERATOR
from servers.wiring import Wiring, contract_of
from tests.hosting import Somebody, until

MANIFEST = """\
id = "capsule.{name}"
name = "A test"
version = "1.0.0"
description = "Does what a test wants. {stamp}"
type = "utility"
{more}
[security_policy]
max_execution_time = {seconds}
{policy}
[input_schema]
type = "object"
"""
HANDLER = """\
async def run(skill):
{body}
"""


def manifest(name: str, more: str = "", *, seconds: int = 20, policy: str = "") -> str:
    """A manifest with further lines."""
    stamp = new_id("put")
    return MANIFEST.format(name=name, more=more, seconds=seconds, policy=policy, stamp=stamp)


def handler(body: str) -> str:
    """A handler whose `run` has this body."""
    return HANDLER.format(body="\n".join(f"    {line}" for line in body.strip().splitlines()))


def write(folder: Path, **files: str) -> Path:
    """A folder with files by name: `manifest`, `handler`, others with `__` for slashes and dots
    as in `prompts__a_j2`."""
    names = {"manifest": "capsule.toml", "handler": "handler.py"}
    for name, content in files.items():
        path = names.get(name) or ".".join(name.replace("__", "/").rsplit("_", 1))
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        # As editors do: nobody sees half of it.
        draft = place.with_name(f".{place.name}")
        draft.write_text(content)
        draft.replace(place)
    return folder


@dataclass
class Workshop:
    """One user's view of the server. `folder` is one of those in KARI_CAPSULES."""

    wiring: Wiring
    folder: Path
    somebody: Somebody = field(default_factory=Somebody)
    told: list[ToolProgress] = field(default_factory=list)

    @property
    def stub(self) -> Any:
        """The server, as tool_integration calls it."""
        return CapsulesServiceStub(self.wiring.channel("tool_integration", "capsules"))

    async def put(
        self,
        name: str,
        body: str,
        more: str = "",
        *,
        seconds: int = 20,
        policy: str = "",
        **files: str,
    ) -> Capsule:
        """A capsule from outside with this handler; as listed, once it was looked at."""
        text = manifest(name, more, seconds=seconds, policy=policy)
        write(self.folder / name, manifest=text, handler=handler(body), **files)
        return await self.listed(f"capsule.{name}", text)

    async def listed(self, capsule_id: str, manifest: str = "") -> Capsule:
        """It, as soon as the server knows it, with this manifest if one is given."""

        async def known() -> Capsule | None:
            found = await self.find(capsule_id)
            if found is None or "looked at" in found.unavailable_because:
                return None
            taken = found.description and found.description in manifest
            return found if not manifest or taken else None

        return await until(known)

    async def settled(self) -> None:
        """Returns when every capsule that the server has seen was looked at."""

        async def all_known() -> bool:
            with self.somebody.acts(self.wiring):
                page = await self.stub.ListCapsules(ListCapsulesRequest(page_size=200))
            outside = [c for c in page.capsules if not c.built_in]
            return bool(outside) and not any("looked at" in c.unavailable_because for c in outside)

        await until(all_known, 60)

    async def find(self, capsule_id: str) -> Capsule | None:
        """The first of this id in the list."""
        with self.somebody.acts(self.wiring):
            page = await self.stub.ListCapsules(ListCapsulesRequest(page_size=200))
        return next((c for c in page.capsules if c.id == capsule_id), None)

    async def run(
        self, name: str, given: Any = None, *, within: float | None = None, **fields: Any
    ) -> CapsuleResult:
        """Runs a capsule to its end, for which the call has so many seconds; what it told is in
        `told`."""
        self.told.clear()
        request = ExecuteRequest(
            capsule_id=f"capsule.{name}", input_json=json.dumps(given or {}), **fields
        )
        with self.somebody.acts(self.wiring):
            async for step in self.stub.Execute(request, timeout=within):
                if step.HasField("progress"):
                    self.told.append(step.progress)
        return step.finished

    async def result(self, name: str, given: Any = None, **fields: Any) -> Any:
        """What a capsule gives."""
        finished = await self.run(name, given, **fields)
        assert finished.success, finished
        return json.loads(finished.result_json)

    async def error(self, name: str, given: Any = None, **fields: Any) -> Any:
        """Why a capsule fails."""
        finished = await self.run(name, given, **fields)
        assert not finished.success, finished
        return finished.error

    async def runs(self) -> list[Run]:
        """The user's runs."""
        with self.somebody.acts(self.wiring):
            return list((await self.stub.ListRuns(ListRunsRequest())).runs)

    async def pages_of_runs(self, size: int) -> list[list[str]]:
        """Ids of the user's runs, by page."""
        pages, token = list[list[str]](), ""
        with self.somebody.acts(self.wiring):
            while True:
                request = ListRunsRequest(page_size=size, page_token=token)
                page = await self.stub.ListRuns(request)
                pages.append([run.id for run in page.runs])
                if not (token := page.next_page_token):
                    return pages

    async def until_unavailable(self, capsule_id: str, because: str) -> None:
        """Returns when it says so."""

        async def says() -> bool:
            found = await self.find(capsule_id)
            return found is not None and found.unavailable_because == because

        await until(says)

    async def until_gives(self, name: str, result: Any) -> None:
        """Returns when a run gives this."""

        async def gives() -> bool:
            finished = await self.run(name)
            return finished.success and json.loads(finished.result_json) == result

        await until(gives)

    async def until_listed_twice(self, capsule_id: str, because: str) -> None:
        """Returns when the second of them says so."""

        async def twice() -> bool:
            with self.somebody.acts(self.wiring):
                page = await self.stub.ListCapsules(ListCapsulesRequest(page_size=200))
            found = [c for c in page.capsules if c.id == capsule_id]
            return len(found) == 2 and found[1].unavailable_because.startswith(because)

        await until(twice)

    async def audited(self, outcome: int, resource: str = "capsule.") -> list[AuditEntry]:
        """What the trail says of the user's runs, once it says anything with this outcome of a
        capsule whose id begins so."""
        channels = Channels(
            OPERATOR, frozenset({"audit"}), self.wiring.address_of, self.wiring.mesh_key
        )
        stub = AuditServiceStub(channels.to("audit", contract_of("audit")))

        async def found() -> list[AuditEntry]:
            request = ListRecordsRequest(
                user_id=self.somebody.user_id, action_prefix="capsule.", page_size=200
            )
            entries = [r.entry for r in (await stub.ListRecords(request)).records]
            return entries if any(_is(e, outcome, resource) for e in entries) else []

        try:
            return await until(found)
        finally:
            await channels.close()

    async def denied(self) -> list[AuditEntry]:
        """What the trail says that the user's runs asked for and may not have, once their ends are
        in it."""
        await self.run("hello")
        entries = await self.audited(AuditOutcome.AUDIT_OUTCOME_DONE, "capsule.hello")
        return [entry for entry in entries if entry.action == "capsule.wish"]

    def clear(self) -> None:
        """Removes every capsule of the folder."""
        for each in self.folder.iterdir():
            if each.is_symlink() or each.is_file():
                os.unlink(each)
            else:
                shutil.rmtree(each)


def _is(entry: AuditEntry, outcome: int, resource: str) -> bool:
    return entry.outcome == outcome and entry.resource.startswith(resource)


def worker_processes() -> list[psutil.Process]:
    """The processes of capsules from outside that run now."""
    mine = psutil.Process().children(recursive=True)
    return [p for p in mine if any("/library/servers/capsules/worker.py" in w for w in _words(p))]


async def no_process_is_left() -> bool:
    """Whether none runs."""
    return not worker_processes()


def _words(process: psutil.Process) -> list[str]:
    try:
        words: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return words
