"""Tools that hang, throw, die or give rubbish: each ends as a result with its reason, on record."""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from embedded.stores import EmbeddedStores
from kari.conversation_models.v1.audit_pb2 import AuditOutcome
from kari.conversation_models.v1.tool_pb2 import ApprovalPolicy, ToolCall, ToolProgress
from kari.errors.v1.errors_pb2 import ErrorType, Reason
from kari.tool_integration.v1.tool_integration_pb2 import CallToolRequest, ListToolsRequest
from kari.tool_integration.v1.tool_integration_pb2_grpc import ToolIntegrationServiceStub
from servers.runtime.call import Principal
from servers.runtime.errors import NotFound, TimedOut
from servers.runtime.ids import new_id
from servers.tool_integration.checking import Admitted
from servers.tool_integration.running import run
from servers.tool_integration.tool import Invocation, Offer, Told
from servers.wiring import Wiring
from tests.hosting import settings_for, until
from tests.tool_integration.bench import Bench
from tests.tool_integration.fixed_source import Fixed
from tests.tool_integration.workshop import offer, workshop

ran = list[str]()
"""Ids of calls that got as far as their tool."""
ended = asyncio.Event()
walkers = set[threading.Thread]()
"""Threads that have read a large result."""

Arguments = Mapping[str, Any]


async def echo(arguments: Arguments, invocation: Invocation) -> Any:
    ran.append(invocation.call_id)
    return arguments


async def hang(arguments: Arguments, invocation: Invocation) -> Any:
    try:
        await asyncio.Event().wait()
    finally:
        ended.set()


async def cling(arguments: Arguments, invocation: Invocation) -> Any:
    while True:
        try:
            await asyncio.sleep(5)
            return None
        except asyncio.CancelledError:
            pass


async def throw(arguments: Arguments, invocation: Invocation) -> Any:
    raise ZeroDivisionError("a secret of the tool")


async def say_no(arguments: Arguments, invocation: Invocation) -> Any:
    raise NotFound(Reason.REASON_MEMORY_NOT_FOUND, "there is no such memory", memory="mem_1")


async def leave(arguments: Arguments, invocation: Invocation) -> Any:
    sys.exit(3)


async def cancel(arguments: Arguments, invocation: Invocation) -> Any:
    raise asyncio.CancelledError


async def no_json(arguments: Arguments, invocation: Invocation) -> Any:
    return {"a": object()}


async def not_a_number(arguments: Arguments, invocation: Invocation) -> Any:
    return {"a": float("nan")}


async def half_a_letter(arguments: Arguments, invocation: Invocation) -> Any:
    return "\ud800"


async def endless(arguments: Arguments, invocation: Invocation) -> Any:
    row: list[Any] = []
    row.append(row)
    return row


async def gush(arguments: Arguments, invocation: Invocation) -> Any:
    return {"text": "äß" * 100_000, "rows": [{"n": n} for n in range(20_000)]}


class Watched(dict[str, int]):
    """Notes which thread walks through it."""

    threads: set[threading.Thread]

    def items(self) -> Any:
        self.threads.add(threading.current_thread())
        return super().items()


async def heap(arguments: Arguments, invocation: Invocation) -> Any:
    names = Watched({f"name{n}": n for n in range(20_000)})
    names.threads = walkers
    return names


async def prattle(arguments: Arguments, invocation: Invocation) -> Any:
    try:
        while True:
            invocation.report(ToolProgress(message="still at it"))
            await asyncio.sleep(0)
    finally:
        ended.set()


async def tell(arguments: Arguments, invocation: Invocation) -> Any:
    invocation.report(ToolProgress(message="half way", fraction=0.5))
    await asyncio.sleep(0)
    invocation.report(ToolProgress(text="written"))
    return Told("done", {"pages": 3})


NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

OFFERS = [
    offer("test.echo", echo),
    offer("test.hang", hang, timeout=0.2),
    offer("test.cling", cling, timeout=0.1),
    offer("test.throw", throw),
    offer("test.say_no", say_no),
    offer("test.leave", leave),
    offer("test.cancel", cancel),
    offer("test.no_json", no_json),
    offer("test.not_a_number", not_a_number),
    offer("test.half_a_letter", half_a_letter),
    offer("test.endless", endless),
    offer("test.gush", gush),
    offer("test.heap", heap),
    offer("test.tell", tell),
    offer("test.off_schema", echo, result=NUMBER),
    offer("test.typed", echo, parameters=NUMBER),
    offer("test.asks", echo, approval=ApprovalPolicy.APPROVAL_POLICY_ALWAYS, calls_per_minute=1),
    offer("test.unstated", echo, approval=ApprovalPolicy.APPROVAL_POLICY_UNSPECIFIED),
    offer("test.coders", echo, roles=frozenset({"chat.user", "chat.tools.code"})),
    offer("test.away", echo, unavailable="its server is away; start it"),
    offer("test.broken", echo, parameters={"type": "nothing of the kind"}),
    offer("test.afield", echo, parameters={"type": "object", "$ref": "http://127.0.0.1:9/x"}),
    offer("test.twins", echo),
    offer("test twins", echo),
    Offer(offer("test.off", echo).tool, echo, "`test.off` is switched off here", disabled=True),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tests_own(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Wiring]:
    settings = settings_for(stores, tmp_path_factory.mktemp("misbehaving"))
    async with workshop(settings, Fixed(OFFERS)) as wiring:
        yield wiring


@pytest.fixture
def bench(tests_own: Wiring) -> Bench:
    ended.clear()
    return Bench(tests_own)


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        ("test.hang", Reason.REASON_TOOL_TIMEOUT),
        ("test.cling", Reason.REASON_TOOL_TIMEOUT),
        ("test.throw", Reason.REASON_TOOL_FAILED),
        ("test.say_no", Reason.REASON_MEMORY_NOT_FOUND),
        ("test.leave", Reason.REASON_TOOL_FAILED),
        ("test.cancel", Reason.REASON_TOOL_FAILED),
        ("test.no_json", Reason.REASON_TOOL_RESULT),
        ("test.not_a_number", Reason.REASON_TOOL_RESULT),
        ("test.half_a_letter", Reason.REASON_TOOL_RESULT),
        ("test.endless", Reason.REASON_TOOL_RESULT),
        ("test.off_schema", Reason.REASON_TOOL_RESULT),
    ],
)
async def test_whatever_a_tool_does_ends_as_a_result_and_on_record(
    bench: Bench, tool: str, reason: Reason.ValueType
) -> None:
    """Admitted, then failed with the reason; nothing of what it raised gets out."""
    result = await bench.call(tool)
    assert not result.success
    assert result.error.reason == reason
    assert "secret" not in str(result)
    admitted, failed = await bench.records(2)
    assert admitted.entry.outcome == AuditOutcome.AUDIT_OUTCOME_ADMITTED
    assert failed.entry.outcome == AuditOutcome.AUDIT_OUTCOME_FAILED
    assert failed.entry.reason == Reason.Name(reason)
    assert "seconds" in failed.entry.details


@pytest.mark.parametrize(
    ("tool", "more", "reason"),
    [
        ("test.nothing", {}, Reason.REASON_TOOL_NOT_FOUND),
        ("test.off", {}, Reason.REASON_TOOL_NOT_ALLOWED),
        ("test.echo", {"allowed_tool_ids": ["test.hang"]}, Reason.REASON_TOOL_NOT_ALLOWED),
        ("test.coders", {}, Reason.REASON_ROLE_MISSING),
        ("test.away", {}, Reason.REASON_TOOL_UNAVAILABLE),
        ("test.broken", {}, Reason.REASON_TOOL_UNAVAILABLE),
        ("test.typed", {"arguments": {"n": "four"}}, Reason.REASON_TOOL_ARGUMENTS),
        ("test.typed", {"arguments": "{"}, Reason.REASON_TOOL_ARGUMENTS),
        ("test.afield", {}, Reason.REASON_TOOL_UNAVAILABLE),
        ("test_coders", {}, Reason.REASON_ROLE_MISSING),
        ("test_coders", {"allowed_tool_ids": ["test.echo"]}, Reason.REASON_ROLE_MISSING),
        ("test_twins", {}, Reason.REASON_TOOL_NOT_FOUND),
        ("test.echo", {"depth": 3}, Reason.REASON_TOOL_DEPTH),
    ],
)
async def test_what_may_not_be_is_refused_on_record_and_does_not_run(
    bench: Bench, tool: str, more: dict[str, Any], reason: Reason.ValueType
) -> None:
    """One record, which says why."""
    before = len(ran)
    result = await bench.call(tool, **more)
    assert result.error.reason == reason
    (refused,) = await bench.records(1)
    assert refused.entry.outcome == AuditOutcome.AUDIT_OUTCOME_REFUSED
    assert refused.entry.reason == Reason.Name(reason)
    assert refused.entry.resource in (tool, "test.coders")
    assert len(ran) == before


async def test_a_tool_goes_by_the_name_that_models_write_it_with(bench: Bench) -> None:
    """On record it has its own."""
    assert (await bench.call("test_echo", {"n": 1})).success
    assert {record.entry.resource for record in await bench.records(2)} == {"test.echo"}


async def test_what_a_tool_raised_is_logged_without_what_it_says(bench: Bench) -> None:
    """That may be what a user said; where it came from is enough to find it."""
    with capture_logs() as logs:
        await bench.call("test.throw")
    (line,) = [line for line in logs if line["event"] == "a tool failed"]
    assert "secret" not in str(line)
    assert "in throw" in line["traceback"]
    assert "ZeroDivisionError" in line["traceback"]


async def test_a_caller_that_leaves_ends_the_tool(bench: Bench) -> None:
    """And the trail has that it did not come to its end."""
    call = ToolCall(id=new_id("call"), tool_id="test.hang")
    stub = bench.wiring.stub("chat_orchestrator", "tool_integration", ToolIntegrationServiceStub)
    with bench.somebody.acts(bench.wiring):
        events = stub.CallTool(CallToolRequest(call=call))
        reading = asyncio.create_task(anext(aiter(events)))  # type: ignore[arg-type]
        await bench.records(1)
        events.cancel()
        with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
            await reading
    async with asyncio.timeout(5):
        await ended.wait()
    records = await bench.records(2)
    assert records[1].entry.outcome == AuditOutcome.AUDIT_OUTCOME_FAILED


async def test_what_is_on_record_as_admitted_has_an_end(bench: Bench) -> None:
    """Also if its caller leaves while that is written: it did not run."""
    url, before = bench.wiring.settings.postgres_url, len(ran)
    assert url is not None
    owner = await asyncpg.connect(url.get_secret_value())
    try:
        async with owner.transaction():
            await owner.execute("LOCK TABLE audit.records IN SHARE ROW EXCLUSIVE MODE")
            calling = asyncio.create_task(bench.call("test.echo"))
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"

            async def waits() -> bool:
                return bool(await owner.fetchval(waiting))

            await until(waits)
            calling.cancel()
            await asyncio.wait({calling})
    finally:
        await owner.close()
    record = (await bench.records(1))[-1]
    if record.entry.outcome == AuditOutcome.AUDIT_OUTCOME_ADMITTED:
        record = (await bench.records(2))[-1]
    assert record.entry.outcome == AuditOutcome.AUDIT_OUTCOME_FAILED
    assert record.entry.reason == "CancelledError"
    assert len(ran) == before


async def test_a_huge_result_is_cut_and_stays_json(bench: Bench) -> None:
    """And is cut the same way each time."""
    first, second = await bench.call("test.gush"), await bench.call("test.gush")
    assert first.success
    assert first.truncated
    assert len(first.result_json.encode()) <= 64 * 1024
    assert set(json.loads(first.result_json)) == {"text", "rows"}
    assert first.result_json == second.result_json


async def test_a_huge_result_is_read_beside_the_loop(bench: Bench) -> None:
    """Everybody else's turns go on meanwhile. Of an object the first names are left."""
    result = await bench.call("test.heap")
    assert result.truncated
    assert json.loads(result.result_json)["name1"] == 1
    assert walkers
    assert threading.main_thread() not in walkers


async def test_the_time_of_a_tool_ends_while_nobody_reads_what_it_reports() -> None:
    """And whoever reads on hears of that, not of what waited."""
    ended.clear()
    invocation = Invocation("call_1", "test.prattle", Principal("t", "u", frozenset()))
    steps = run(Admitted(offer("test.prattle", prattle, timeout=0.1), {}), invocation)
    await anext(steps)
    async with asyncio.timeout(10):
        await ended.wait()
    await asyncio.sleep(0.01)
    with pytest.raises(TimedOut):
        await anext(steps)


async def test_progress_and_text_come_before_the_result(bench: Bench) -> None:
    """In order, with the id of the call; what else is known is in the metadata."""
    half, written, last = await bench.events("test.tell")
    assert half.progress.message == "half way"
    assert half.progress.call_id == last.finished.call_id
    assert written.progress.text == "written"
    assert last.finished.result_json == '"done"'
    assert last.finished.metadata["pages"] == 3


def calls_of(tool: str) -> float:
    """Calls of a tool that were counted."""
    return REGISTRY.get_sample_value("kari_chat_tool_calls_total", {"tool": tool}) or 0.0


@pytest.mark.parametrize("tool", ["test.asks", "test.unstated"])
async def test_a_tool_that_needs_it_asks_first(bench: Bench, tool: str) -> None:
    """Nothing runs until the orchestrator says that the user allowed it; it is not counted anew."""
    before, counted = len(ran), calls_of(tool)
    (asked,) = await bench.events(tool)
    assert asked.approval_required.tool.id == tool
    assert (len(ran), calls_of(tool)) == (before, counted)
    await bench.records(1)
    result = await bench.call(tool, {"n": 1}, approved=True)
    assert result.success
    assert calls_of(tool) == counted + 1
    refused, admitted, done = await bench.records(3)
    assert refused.entry.reason == "REASON_APPROVAL_REQUIRED"
    assert admitted.entry.details["approved"] == "yes"
    assert done.entry.outcome == AuditOutcome.AUDIT_OUTCOME_DONE


async def test_only_the_orchestrators_word_of_an_approval_counts(bench: Bench) -> None:
    """A capsule that says the user allowed it is not believed."""
    bench.caller = "capsules"
    (asked,) = await bench.events("test.unstated", approved=True)
    assert asked.WhichOneof("event") == "approval_required"


async def test_tools_that_cannot_be_called_are_listed_with_the_reason(bench: Bench) -> None:
    """But for those that the user's roles do not allow."""
    tools = await bench.tools()
    assert tools["test.away"].unavailable_because == "its server is away; start it"
    assert not tools["test.broken"].available
    assert "no JSON Schema" in tools["test.broken"].unavailable_because
    assert not tools["test.off"].available
    assert "test.coders" not in tools
    assert "test.coders" in await bench.with_roles("chat.admin").tools()


async def test_nothing_runs_off_the_record(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without the trail a call is refused, to be tried again; tools are listed all the same."""
    settings = settings_for(stores, tmp_path_factory.mktemp("unrecorded"))
    async with workshop(settings, Fixed(OFFERS), names=("memory_processor",)) as wiring:
        bench, before = Bench(wiring), len(ran)
        result = await bench.call("test.echo")
        assert result.error.reason == Reason.REASON_STORE_UNAVAILABLE
        assert result.error.type == ErrorType.ERROR_TYPE_UNAVAILABLE
        assert result.error.retryable
        assert len(ran) == before
        assert "test.echo" in await bench.tools()


async def test_a_page_of_tools_leads_to_the_next(bench: Bench) -> None:
    """By id, each once; a token of another list is refused."""
    stub = bench.wiring.stub("chat_orchestrator", "tool_integration", ToolIntegrationServiceStub)
    seen, token = list[str](), ""
    with bench.somebody.acts(bench.wiring):
        while True:
            page = await stub.ListTools(ListToolsRequest(page_size=7, page_token=token))
            seen += [tool.id for tool in page.tools]
            token = page.next_page_token
            if not token:
                break
        with pytest.raises(grpc.aio.AioRpcError, match="page_token"):
            await stub.ListTools(ListToolsRequest(page_token="zzz"))
    assert seen == sorted(set(seen))
    assert len(seen) == len(OFFERS) - 1
